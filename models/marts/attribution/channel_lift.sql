{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

select
    as_of,
    model_version,
    lift_rule,
    lift_rule_version,
    treatment,
    treatment_value,
    milestone,
    landmark_days,
    window_days,
    first_entered_on,
    last_entered_on,
    case_count,
    treated_count,
    conversion_count,
    treated_conversion_count,
    naive_difference,
    lift,
    lift_low,
    lift_high,
    p_value,
    p_value_holm,
    is_within_noise,
    auc_gain,
    auc_gain_low,
    auc_gain_high,
    is_vanity,
    overlap,
    imbalance,
    reason
from {{ ref('int_input__channel_lift') }}
