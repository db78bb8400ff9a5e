select
    as_of,
    model_version,
    measure,
    signal,
    changed_on,
    centre_factor,
    spread_factor,
    independent_forecasts,
    covered_before,
    covered_after,
    band_low,
    band_high,
    error_before,
    error_after
from {{ source('prediction', 'prediction_recalibration') }}
