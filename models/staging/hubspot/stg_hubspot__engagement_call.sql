with delivered as (

    {{ leadlag.conform('hubspot', 'engagement_call', raw='occurred_at') }}

)

select
    engagement_id,
    occurred_at,
    occurred_at_raw,
    created_at,
    owner_id,
    direction,
    outcome,
    status,
    duration_milliseconds,
    is_deleted,
    loaded_at
from delivered
