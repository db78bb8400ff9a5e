with delivered as (

    {{ leadlag.conform('hubspot', 'email_event', raw='created_at') }}

)

select
    email_event_id,
    event_type,
    created_at,
    created_at_raw,
    recipient,
    email_campaign_id,
    is_filtered,
    loaded_at
from delivered
