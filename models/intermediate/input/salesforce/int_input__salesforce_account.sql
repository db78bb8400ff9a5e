select
    'salesforce' as source_system,
    'account' as source_table,
    account_id as source_id,
    created_at as occurred_at,
    loaded_at,
    account_name,
    {{ leadlag.url_domain(leadlag.url_host('website')) }} as domain,
    industry,
    employee_count,
    country,
    region,
    parent_id as parent_source_id,
    owner_id as owner_source_id,
    is_deleted
from {{ ref('stg_salesforce__account') }}
