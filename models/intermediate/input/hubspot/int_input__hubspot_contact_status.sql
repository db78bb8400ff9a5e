{{ config(enabled='hubspot' in var('connectors', []) and var('hubspot_status_source', 'history') == 'snapshot') }}

select
    contact_id,
    lifecycle_stage,
    lead_status,
    last_modified_at
from {{ ref('stg_hubspot__contact') }}
where not coalesce(is_deleted, false)
