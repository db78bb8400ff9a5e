{{ config(enabled='hubspot' in var('connectors', []) and leadlag.status_source('hubspot') == 'snapshot') }}

select
    contact_id,
    lifecycle_stage,
    lead_status,
    last_modified_at
from {{ ref('stg_hubspot__contact') }}
where not coalesce(is_deleted, false)
