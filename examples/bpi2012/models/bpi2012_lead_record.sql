select
    'bpi2012' as source_system,
    'events' as source_table,
    'lead' as record_type,
    application_id as source_id,
    occurred_at,
    occurred_at_raw,
    resource_id as owner_source_id
from {{ ref('bpi2012_event') }}
where activity = 'A_SUBMITTED'
