{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

select
    as_of,
    model_version,
    cut_name,
    cut_value,
    stage,
    outcome,
    within_days,
    entry_count,
    outcome_count,
    effective_count,
    observed_rate,
    probability,
    total_share,
    low_80,
    high_80,
    low_95,
    high_95,
    reason
from {{ ref('int_input__stage_probability') }}
