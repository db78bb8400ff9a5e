select
    as_of,
    model_version,
    conversion_definition,
    score,
    journey_key,
    predicted_at,
    usage,
    probability,
    reason
from {{ source('prediction', 'prediction_lead_score') }}
