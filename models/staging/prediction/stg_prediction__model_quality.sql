select
    as_of,
    model_version,
    model,
    scope,
    metric,
    value,
    value_low,
    value_high,
    case_count,
    window_start,
    window_end
from {{ source('prediction', 'prediction_model_quality') }}
