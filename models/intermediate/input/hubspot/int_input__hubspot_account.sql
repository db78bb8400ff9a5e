select
    'hubspot' as source_system,
    'company' as source_table,
    company_id as source_id,
    created_at as occurred_at,
    loaded_at,
    company_name as account_name,
    coalesce(
        {{ leadlag.url_domain(leadlag.url_host('domain')) }},
        {{ leadlag.url_domain(leadlag.url_host('website')) }}
    ) as domain,
    industry,
    employee_count,
    country,
    region,
    parent_company_id as parent_source_id,
    owner_id as owner_source_id,
    is_deleted
from {{ ref('stg_hubspot__company') }}
