{%- set z = leadlag.normal_quantile() -%}

-- Sums of both measures of a KPI, in every period of its series.
with summed as (

    select
        series.*,
        definition.statistic,
        definition.weight_scheme,
        definition.minimum_volume,
        coalesce(numerator.row_count, 0) as numerator_count,
        coalesce(numerator.amount, 0) as numerator_amount,
        coalesce(numerator.amount_squared, 0) as numerator_squared,
        coalesce(numerator.weighted_amount, 0) as numerator_weighted,
        coalesce(numerator.weighted_count, 0) as numerator_weighted_count,
        coalesce(denominator.row_count, 0) as denominator_count,
        coalesce(denominator.amount, 0) as denominator_amount,
        coalesce(denominator.amount_squared, 0) as denominator_squared,
        coalesce(denominator.weighted_amount, 0) as denominator_weighted,
        cast(coalesce(denominator.pending_count, numerator.pending_count, 0) as bigint) as pending_count
    from {{ ref('int_kpi__series') }} as series
    inner join {{ ref('int_kpi__definition') }} as definition
        on series.kpi = definition.kpi and series.version = definition.version and series.variant = definition.variant
    {%- for role in ['numerator', 'denominator'] %}
    left join {{ ref('int_kpi__measure_sum') }} as {{ role }}
        on
            definition.{{ role }}_use_key = {{ role }}.use_key
            and series.cut_key = {{ role }}.cut_key
            and series.period_grain = {{ role }}.period_grain
            and series.period_start = {{ role }}.period_start
    {%- endfor %}

),

divided as (

    select
        summed.*,
        case statistic
            when 'mean' then numerator_count
            when 'rate' then denominator_count
            when 'ratio' then denominator_amount
        end as denominator,
        case statistic
            when 'mean' then numerator_weighted / nullif(numerator_weighted_count, 0)
            when 'rate' then numerator_weighted / nullif(denominator_weighted, 0)
            when 'ratio' then numerator_weighted / nullif(denominator_weighted, 0)
            else numerator_weighted
        end as weighted_value,
        -- Relative errors of two sums, each taken as a compound Poisson sum.
        sqrt(numerator_squared / nullif(numerator_amount * numerator_amount, 0)
            + denominator_squared / nullif(denominator_amount * denominator_amount, 0)) as relative_error,
        sqrt(greatest(numerator_squared - numerator_amount * numerator_amount / nullif(numerator_count, 0), 0)
            / nullif(numerator_count * (numerator_count - 1), 0)) as mean_error
    from summed

),

valued as (

    select
        divided.*,
        case when statistic in ('count', 'sum') then numerator_amount else numerator_amount / nullif(denominator, 0) end as value
    from divided

)

select
    kpi,
    version,
    variant,
    period_grain,
    period_start,
    next_period_start,
    cut_name,
    cut_value,
    statistic,
    numerator_amount as numerator,
    denominator,
    value,
    {%- for side, sign in {'low': '-', 'high': '+'}.items() %}
    case statistic
        when 'count' then {{ leadlag.count_low('numerator_amount') if side == 'low' else leadlag.count_high('numerator_amount') }}
        when 'sum' then case when numerator_count > 0 then numerator_amount {{ sign }} {{ z }} * sqrt(numerator_squared) end
        when 'rate' then {{ leadlag.wilson_limit('numerator_amount', 'denominator', side) }}
        when 'mean' then value {{ sign }} {{ z }} * mean_error
        when 'ratio' then case when value > 0 then value * exp({{ sign }}{{ z }} * relative_error) end
    end as value_{{ side }},
    {%- endfor %}
    case when weight_scheme <> '(none)' then weighted_value end as weighted_value,
    case statistic
        when 'rate' then denominator_count
        when 'ratio' then least(numerator_count, denominator_count)
        else numerator_count
    end as volume,
    minimum_volume,
    pending_count,
    is_in_force
from valued
