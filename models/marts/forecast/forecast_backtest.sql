{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

{%- set within = 'case when actual between low_{0} and high_{0} then 1 when low_{0} is not null then 0 end' -%}
{%- set loss = 'greatest({0} * (actual - {1}), ({0} - 1) * (actual - {1}))' %}

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
        avg(abs(expected - actual) / scale) as mase,
        count(low_95) as interval_count,
        avg({{ leadlag.double(within.format(80)) }}) as coverage_80,
        avg({{ leadlag.double(within.format(95)) }}) as coverage_95,
        (avg({{ loss.format(0.1, 'low_80') }}) + avg({{ loss.format(0.9, 'high_80') }})) / 2 as pinball_80,
        (avg({{ loss.format(0.025, 'low_95') }}) + avg({{ loss.format(0.975, 'high_95') }})) / 2 as pinball_95
    from {{ ref('int_input__backtest') }}
    group by as_of, model_version, measure, horizon_days, method

),

-- What a jackknife or Wilson's interval makes of them, by the companion.
quality as (

    select * from {{ ref('int_input__model_quality') }}
    where model = 'forecast'

),

limits as (

    select
        as_of,
        model_version,
        scope,
        'leadlag' as method,
        {%- for metric in ['wape', 'bias', 'coverage_80', 'coverage_95'] %}
        max(case when metric = '{{ metric }}' then value_low end) as {{ metric }}_low,
        max(case when metric = '{{ metric }}' then value_high end) as {{ metric }}_high{{ ',' if not loop.last }}
        {%- endfor %}
    from quality
    group by as_of, model_version, scope

),

scoped as (

    select
        judged.*,
        measure || '_' || cast(horizon_days as {{ dbt.type_string() }}) || 'd' as scope
    from judged

)

select
    scoped.as_of,
    scoped.model_version,
    scoped.measure,
    scoped.horizon_days,
    scoped.method,
    cast(scoped.forecast_count as {{ dbt.type_bigint() }}) as forecast_count,
    case
        when scoped.forecast_count = reference.forecast_count
            then cast(
                floor({{ leadlag.days_between('scoped.first_origin_date', 'scoped.last_origin_date') }} * 1.0 / scoped.horizon_days) + 1
                as {{ dbt.type_bigint() }}
            )
    end as independent_count,
    scoped.first_origin_date,
    scoped.last_origin_date,
    scoped.wape,
    limits.wape_low,
    limits.wape_high,
    scoped.bias,
    limits.bias_low,
    limits.bias_high,
    scoped.mase,
    case when scoped.forecast_count = reference.forecast_count then 1 - scoped.wape / nullif(reference.wape, 0) end as gain,
    versus.value as model_gain,
    versus.value_low as model_gain_low,
    versus.value_high as model_gain_high,
    cast(scoped.interval_count as {{ dbt.type_bigint() }}) as interval_count,
    scoped.coverage_80,
    limits.coverage_80_low,
    limits.coverage_80_high,
    scoped.coverage_95,
    limits.coverage_95_low,
    limits.coverage_95_high,
    scoped.pinball_80,
    scoped.pinball_95
from scoped
left join judged as reference
    on
        scoped.measure = reference.measure
        and scoped.horizon_days = reference.horizon_days
        and reference.method = 'seasonal_naive'
left join limits
    on
        scoped.as_of = limits.as_of
        and scoped.model_version = limits.model_version
        and scoped.scope = limits.scope
        and scoped.method = limits.method
left join quality as versus
    on
        scoped.as_of = versus.as_of
        and scoped.model_version = versus.model_version
        and scoped.scope = versus.scope
        and versus.metric = 'gain_over_' || scoped.method
