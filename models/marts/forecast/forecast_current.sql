{#- A view: the scheduled run forecasts after it has built. -#}
{{ config(materialized='view') }}

select
    as_of,
    model_version,
    measure,
    cut_name,
    cut_value,
    period_grain,
    period_start,
    period_end,
    expected,
    actual_to_date,
    from_open,
    from_arrivals,
    low_80,
    high_80,
    low_95,
    high_95,
    completed_forecasts,
    unit,
    reason
from {{ ref('int_input__forecast') }}
