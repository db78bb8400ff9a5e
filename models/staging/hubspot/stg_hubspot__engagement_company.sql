with delivered as (

    {{ leadlag.conform('hubspot', 'engagement_company') }}

)

select
    engagement_id,
    company_id,
    loaded_at
from delivered
