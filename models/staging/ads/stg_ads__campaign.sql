with delivered as (

    {{ leadlag.conform('ads', 'campaign') }}

)

select
    platform,
    campaign_id,
    campaign_name,
    campaign_type,
    status,
    start_date,
    end_date,
    budget,
    currency_code,
    created_at,
    loaded_at
from delivered
