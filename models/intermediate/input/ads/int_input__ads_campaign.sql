select
    'ads' as source_system,
    'campaign' as source_table,
    platform || ':' || campaign_id as source_id,
    created_at as occurred_at,
    loaded_at,
    campaign_name,
    platform || '_' || coalesce(campaign_type, 'ad') as campaign_type,
    status as campaign_status,
    start_date,
    end_date,
    budget as budgeted_cost,
    currency_code
from {{ ref('stg_ads__campaign') }}
