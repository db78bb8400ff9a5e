with value as (

    select * from {{ ref('int_kpi__value') }}
    union all
    select * from {{ ref('int_kpi__product') }}

)

select
    {{ leadlag.key([
        'value.kpi', 'value.version', 'value.variant', 'value.period_grain', 'value.period_start', 'value.cut_name', 'value.cut_value'
    ]) }} as kpi_value_key,
    value.kpi,
    value.version,
    value.variant,
    value.period_grain,
    value.period_start,
    value.next_period_start,
    value.cut_name,
    value.cut_value,
    value.numerator,
    value.denominator,
    value.value,
    value.value_low,
    value.value_high,
    value.weighted_value,
    cast(value.volume as bigint) as volume,
    value.volume >= value.minimum_volume as is_reliable,
    value.pending_count,
    value.next_period_start <= clock.as_of_date and value.pending_count = 0 as is_mature,
    case
        when value.value is not null then null
        when value.statistic = 'product' then 'a component has no value'
        else 'the denominator is 0'
    end as no_value_reason
from value
cross join {{ ref('int_input__clock') }} as clock
where value.is_in_force
