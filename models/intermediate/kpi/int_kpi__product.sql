{%- set z = leadlag.normal_quantile() -%}

with factor as (

    select
        definition.kpi,
        definition.version,
        definition.minimum_volume,
        component.exponent,
        value.period_grain,
        value.period_start,
        value.next_period_start,
        value.cut_name,
        value.cut_value,
        value.value,
        value.volume,
        value.pending_count,
        definition.valid_from <= value.period_start
        and (definition.valid_to >= value.next_period_start or definition.valid_to is null) as is_in_force,
        case when value.value > 0 then component.exponent * ln(value.value) end as log_factor,
        -- Half the interval on the scale of logarithms.
        case when value.value_low > 0 then component.exponent * (ln(value.value_high) - ln(value.value_low)) / 2 end as log_error,
        components.components
    from {{ ref('int_kpi__definition') }} as definition
    inner join {{ ref('kpi_component') }} as component
        on definition.kpi = component.kpi and definition.version = component.version
    inner join (
        select kpi, version, count(*) as components from {{ ref('kpi_component') }} group by kpi, version
    ) as components
        on definition.kpi = components.kpi and definition.version = components.version
    inner join {{ ref('int_kpi__value') }} as value
        on
            component.component_kpi = value.kpi
            and value.variant = 'global'
            and value.is_in_force
    where definition.statistic = 'product'

),

multiplied as (

    select
        kpi,
        version,
        period_grain,
        period_start,
        next_period_start,
        cut_name,
        cut_value,
        minimum_volume,
        is_in_force,
        min(volume) as volume,
        max(pending_count) as pending_count,
        case
            when count(value) < max(components) or count(case when exponent < 0 and value <= 0 then 1 end) > 0 then null
            when count(log_factor) < max(components) then {{ leadlag.double(0) }}
            else exp(sum(log_factor))
        end as value,
        case when count(log_error) = max(components) then sqrt(sum(log_error * log_error)) end as log_error
    from factor
    where is_in_force or (period_grain = 'month' and cut_name = 'total')
    group by kpi, version, period_grain, period_start, next_period_start, cut_name, cut_value, minimum_volume, is_in_force
    having count(*) = max(components)

)

select
    kpi,
    version,
    'global' as variant,
    period_grain,
    period_start,
    next_period_start,
    cut_name,
    cut_value,
    'product' as statistic,
    {{ leadlag.double('null') }} as numerator,
    {{ leadlag.double('null') }} as denominator,
    value,
    value * exp(-log_error) as value_low,
    value * exp(log_error) as value_high,
    {{ leadlag.double('null') }} as weighted_value,
    volume,
    minimum_volume,
    pending_count,
    is_in_force
from multiplied
