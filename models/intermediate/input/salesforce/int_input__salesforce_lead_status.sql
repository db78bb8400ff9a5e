{{ config(enabled='salesforce' in var('connectors', []) and var('salesforce_status_source', 'history') == 'snapshot') }}

select
    lead_id,
    status,
    last_modified_at
from {{ ref('stg_salesforce__lead') }}
where not coalesce(is_deleted, false)
