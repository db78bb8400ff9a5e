select
    as_of,
    model_version,
    measure,
    cut_name,
    cut_value,
    period_grain,
    period_start,
    elapsed_days,
    expected,
    actual,
    low_80,
    high_80,
    low_95,
    high_95,
    completed_forecasts,
    reason
from {{ source('prediction', 'prediction_deviation') }}
