select distinct
    path_set_key,
    journey_key,
    channel
from {{ ref('int_attribution__eligible_touch') }}
