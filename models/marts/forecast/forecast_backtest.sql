{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

with judged as (

    select
        as_of,
        model_version,
        measure,
        horizon_days,
        method,
        count(*) as forecast_count,
        min(origin_date) as first_origin_date,
        max(origin_date) as last_origin_date,
        sum(abs(expected - actual)) / nullif(sum(actual), 0) as wape,
        sum(expected) / nullif(sum(actual), 0) - 1 as bias,
        count(low_95) as interval_count,
        avg({{ leadlag.double('case when actual between low_80 and high_80 then 1 when low_80 is not null then 0 end') }}) as coverage_80,
        avg({{ leadlag.double('case when actual between low_95 and high_95 then 1 when low_95 is not null then 0 end') }}) as coverage_95
    from {{ ref('int_input__backtest') }}
    group by as_of, model_version, measure, horizon_days, method

)

select
    judged.as_of,
    judged.model_version,
    judged.measure,
    judged.horizon_days,
    judged.method,
    cast(judged.forecast_count as {{ dbt.type_bigint() }}) as forecast_count,
    judged.first_origin_date,
    judged.last_origin_date,
    judged.wape,
    judged.bias,
    1 - judged.wape / nullif(reference.wape, 0) as gain,
    cast(judged.interval_count as {{ dbt.type_bigint() }}) as interval_count,
    judged.coverage_80,
    judged.coverage_95
from judged
left join judged as reference
    on
        judged.measure = reference.measure
        and judged.horizon_days = reference.horizon_days
        and reference.method = 'seasonal_naive'
