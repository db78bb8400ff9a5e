select
    as_of,
    model_version,
    measure,
    origin_date,
    horizon_days,
    method,
    expected,
    actual,
    scale,
    low_80,
    high_80,
    low_95,
    high_95
from {{ source('prediction', 'prediction_backtest') }}
