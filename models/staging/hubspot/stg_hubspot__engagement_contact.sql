with delivered as (

    {{ leadlag.conform('hubspot', 'engagement_contact') }}

)

select
    engagement_id,
    contact_id,
    loaded_at
from delivered
