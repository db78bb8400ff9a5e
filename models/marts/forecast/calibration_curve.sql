{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

select
    as_of,
    model_version,
    model,
    scope,
    bin_number,
    case_count,
    journey_count,
    lowest_probability,
    highest_probability,
    mean_probability,
    observed_rate,
    observed_low,
    observed_high
from {{ ref('int_input__calibration') }}
