with delivered as (

    {{ leadlag.conform('ads', 'spend_daily', raw='spend_date') }}

)

select
    platform,
    spend_date,
    spend_date_raw,
    campaign_id,
    campaign_name,
    spend,
    currency_code,
    clicks,
    impressions,
    reported_at,
    loaded_at
from delivered
