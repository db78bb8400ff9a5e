{{ config(enabled=var('sandbox_champion', none) is not none) }}

{%- set sides = ['champion', 'challenger'] %}

with conversion as (
    {% for side in sides %}
    select
        '{{ side }}' as side,
        conversion_definition,
        max(definition_version) as version,
        {{ leadlag.double('count(case when in_numerator then 1 end)') }} as numerator,
        {{ leadlag.double('count(case when in_denominator then 1 end)') }} as denominator
    from {{ leadlag.sandbox_relation('fct_conversion', side) }}
    group by conversion_definition
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

kpi as (
    {% for side in sides %}
    select
        '{{ side }}' as side,
        kpi.*
    from {{ leadlag.sandbox_relation('fct_kpi', side) }} as kpi
    cross join {{ ref('int_input__clock') }} as clock
    where kpi.period_grain = 'quarter' and kpi.cut_name = 'total' and kpi.next_period_start <= clock.as_of_date
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

-- The newest quarter that is final on both sides, or on the only one that has the KPI; where none is, the newest that is over.
quarter as (

    select
        kpi,
        variant,
        period_start,
        row_number() over (partition by kpi, variant order by sum(case when is_mature then 1 else 0 end) desc, period_start desc) as choice
    from kpi
    group by kpi, variant, period_start

)

select
    side,
    'conversion_definition' as definition_type,
    conversion_definition as definition,
    'global' as variant,
    cast(null as date) as quarter_start,
    cast(null as boolean) as is_final,
    version,
    numerator,
    denominator,
    {{ leadlag.share('numerator', 'denominator') }} as value,
    {{ leadlag.wilson_low('numerator', 'denominator') }} as value_low,
    {{ leadlag.wilson_high('numerator', 'denominator') }} as value_high,
    {{ leadlag.double('null') }} as weighted_value
from conversion
union all
select
    kpi.side,
    'kpi' as definition_type,
    kpi.kpi as definition,
    kpi.variant,
    kpi.period_start as quarter_start,
    kpi.is_mature as is_final,
    kpi.version,
    kpi.numerator,
    kpi.denominator,
    kpi.value,
    kpi.value_low,
    kpi.value_high,
    kpi.weighted_value
from kpi
inner join quarter
    on kpi.kpi = quarter.kpi and kpi.variant = quarter.variant and kpi.period_start = quarter.period_start and quarter.choice = 1
