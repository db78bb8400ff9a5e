select
    as_of,
    model_version,
    measure,
    month_start,
    horizon_months,
    expected,
    actual,
    arrivals_effect,
    rate_effect,
    timing_effect,
    amount_effect,
    follow_up_days
from {{ source('prediction', 'prediction_accuracy') }}
