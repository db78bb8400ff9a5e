{%- set row = ['kpi', 'version', 'variant', 'period_grain', 'period_start', 'cut_name', 'cut_value'] -%}

with result as (

    select
        result.*,
        target.method as target_method,
        target.direction,
        target.target,
        target.threshold,
        coalesce(target.is_capped, false) as is_target_capped,
        (result.value - target.mean_value) / nullif(target.deviation, 0) as z_score
    from {{ ref('int_kpi__result') }} as result
    left join {{ ref('int_kpi__target') }} as target
        on {% for column in row %}result.{{ column }} = target.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}

)

select
    {{ leadlag.key(row) }} as kpi_value_key,
    kpi,
    version,
    variant,
    period_grain,
    period_start,
    next_period_start,
    cut_name,
    cut_value,
    numerator,
    denominator,
    value,
    value_low,
    value_high,
    weighted_value,
    cast(volume as bigint) as volume,
    is_reliable,
    pending_count,
    is_mature,
    case
        when value is not null then null
        when statistic = 'product' then 'a component has no value'
        else 'the denominator is 0'
    end as no_value_reason,
    target_method,
    target,
    threshold,
    is_target_capped,
    z_score,
    case
        when target is null then 'no_target'
        when value is null or not is_mature or not is_reliable then 'not_judged'
        when direction = 'higher' and value < threshold or direction = 'lower' and value > threshold then 'threshold_breached'
        when direction = 'higher' and value < target or direction = 'lower' and value > target then 'target_missed'
        else 'on_target'
    end as status
from result
