with delivered as (

    {{ leadlag.conform('hubspot', 'engagement_task', raw='created_at') }}

)

select
    engagement_id,
    due_at,
    completed_at,
    created_at,
    created_at_raw,
    owner_id,
    status,
    is_deleted,
    loaded_at
from delivered
