with delivered as (

    {{ leadlag.conform('hubspot', 'engagement_deal') }}

)

select
    engagement_id,
    deal_id,
    loaded_at
from delivered
