select
    'salesforce' as source_system,
    'campaign' as source_table,
    campaign_id as source_id,
    created_at as occurred_at,
    loaded_at,
    campaign_name,
    campaign_type,
    status as campaign_status,
    parent_id as parent_source_id,
    start_date,
    end_date,
    budgeted_cost,
    actual_cost,
    currency_code
from {{ ref('stg_salesforce__campaign') }}
where not coalesce(is_deleted, false)
