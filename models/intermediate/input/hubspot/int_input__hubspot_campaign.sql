select
    'hubspot' as source_system,
    'email_campaign' as source_table,
    email_campaign_id as source_id,
    cast(null as timestamp) as occurred_at,
    loaded_at,
    coalesce(campaign_name, subject) as campaign_name,
    lower(campaign_type) as campaign_type
from {{ ref('stg_hubspot__email_campaign') }}
