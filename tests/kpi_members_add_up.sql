-- Counted rows of kpi_member sum to the numerator and denominator of each value of fct_kpi, pending rows to its pending_count.
with member as (

    select
        {{ leadlag.key(['kpi', 'version', 'variant', 'period_grain', 'period_start', 'cut_name', 'cut_value']) }} as kpi_value_key,
        sum(case when role = 'numerator' and is_counted then amount else 0 end) as numerator,
        sum(case when role = 'denominator' and is_counted then amount else 0 end) as denominator,
        count(case when is_pending then 1 end) as pending_count
    from {{ ref('kpi_member') }}
    group by kpi, version, variant, period_grain, period_start, cut_name, cut_value

)

select
    value.*,
    member.kpi_value_key as member_key,
    member.numerator as member_numerator,
    member.denominator as member_denominator,
    member.pending_count as member_pending_count
from (select * from {{ ref('fct_kpi') }} where numerator is not null) as value
full outer join member on value.kpi_value_key = member.kpi_value_key
where
    value.kpi_value_key is null
    or abs(coalesce(member.numerator, 0) - value.numerator) > 1e-9 * abs(value.numerator) + 1e-6
    or abs(coalesce(member.denominator, 0) - coalesce(value.denominator, 0)) > 1e-9 * coalesce(abs(value.denominator), 0) + 1e-6
    or coalesce(member.pending_count, 0) <> value.pending_count
