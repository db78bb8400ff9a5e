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
from {{ source('prediction', 'prediction_calibration') }}
