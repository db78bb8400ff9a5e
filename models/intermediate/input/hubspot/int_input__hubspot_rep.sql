select
    'hubspot' as source_system,
    'owner' as source_table,
    owner_id as source_id,
    created_at as occurred_at,
    loaded_at,
    nullif(trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')), '') as full_name,
    email,
    is_active
from {{ ref('stg_hubspot__owner') }}
