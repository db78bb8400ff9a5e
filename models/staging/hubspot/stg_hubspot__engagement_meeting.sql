with delivered as (

    {{ leadlag.conform('hubspot', 'engagement_meeting', raw='started_at') }}

)

select
    engagement_id,
    started_at,
    started_at_raw,
    ended_at,
    created_at,
    owner_id,
    outcome,
    is_deleted,
    loaded_at
from delivered
