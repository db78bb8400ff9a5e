with delivered as (

    {{ leadlag.conform('salesforce', 'task', raw='created_at') }}

)

select
    task_id,
    who_id,
    what_id,
    account_id,
    owner_id,
    task_type,
    task_subtype,
    status,
    call_direction,
    call_disposition,
    call_duration_seconds,
    is_closed,
    completed_at,
    created_at,
    created_at_raw,
    is_deleted,
    loaded_at
from delivered
where coalesce(is_current, true)
