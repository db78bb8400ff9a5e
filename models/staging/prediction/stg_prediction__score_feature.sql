select
    as_of,
    model_version,
    feature,
    usage,
    reason,
    quarter_start,
    case_count,
    known_share,
    psi,
    psi_noise
from {{ source('prediction', 'prediction_score_feature') }}
