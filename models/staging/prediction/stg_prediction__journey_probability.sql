select
    as_of,
    model_version,
    journey_key,
    person_key,
    region,
    product_line,
    stage,
    days_in_stage,
    raw_probability,
    probability,
    raw_probability_90d,
    probability_90d,
    reason
from {{ source('prediction', 'prediction_journey_probability') }}
