with delivered as (

    {{ leadlag.conform('salesforce', 'campaign_member', raw='created_at') }}

)

select
    campaign_member_id,
    campaign_id,
    lead_id,
    contact_id,
    member_status,
    has_responded,
    first_responded_at,
    created_at,
    created_at_raw,
    is_deleted,
    loaded_at
from delivered
where coalesce(is_current, true)
