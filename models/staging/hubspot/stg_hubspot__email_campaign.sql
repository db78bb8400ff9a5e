with delivered as (

    {{ leadlag.conform('hubspot', 'email_campaign') }}

)

select
    email_campaign_id,
    campaign_name,
    subject,
    campaign_type,
    loaded_at
from delivered
