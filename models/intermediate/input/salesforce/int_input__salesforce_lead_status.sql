{{ config(enabled='salesforce' in var('connectors', []) and leadlag.status_source('salesforce') == 'snapshot') }}

select
    lead_id,
    status,
    last_modified_at
from {{ ref('stg_salesforce__lead') }}
where not coalesce(is_deleted, false)
