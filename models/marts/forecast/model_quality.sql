{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

with quality as (

    select * from {{ ref('int_input__model_quality') }}

),

newest as (

    select
        model,
        as_of,
        max(model_version) as model_version,
        row_number() over (partition by model order by as_of desc) as run_number
    from quality
    group by model, as_of

)

select
    quality.as_of,
    quality.model_version,
    quality.model,
    quality.scope,
    quality.metric,
    quality.value,
    quality.value_low,
    quality.value_high,
    quality.case_count,
    quality.window_start,
    quality.window_end
from quality
inner join newest
    on
        quality.model = newest.model
        and quality.as_of = newest.as_of
        and quality.model_version = newest.model_version
where newest.run_number = 1
