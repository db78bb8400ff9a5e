with delivered as (

    {{ leadlag.conform('salesforce', 'event', raw='started_at') }}

)

select
    event_id,
    who_id,
    what_id,
    account_id,
    owner_id,
    event_type,
    started_at,
    started_at_raw,
    ended_at,
    created_at,
    is_deleted,
    loaded_at
from delivered
where coalesce(is_current, true)
