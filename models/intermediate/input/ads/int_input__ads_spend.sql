select
    'ads' as source_system,
    'spend_daily' as source_table,
    platform || ':' || coalesce(campaign_id, '') || ':'
    || coalesce(cast(spend_date as {{ dbt.type_string() }}), spend_date_raw, '') as source_id,
    cast(spend_date as timestamp) as occurred_at,
    spend_date_raw as occurred_at_raw,
    reported_at as recorded_at,
    loaded_at,
    spend_date,
    platform,
    platform || ':' || campaign_id as campaign_source_id,
    campaign_name,
    spend as amount,
    currency_code,
    clicks,
    impressions
from {{ ref('stg_ads__spend_daily') }}
