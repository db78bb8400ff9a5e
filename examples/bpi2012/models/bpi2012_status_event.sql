select
    'bpi2012' as source_system,
    'events' as source_table,
    application_id || ':' || event_number as source_id,
    'lead' as record_type,
    application_id as record_source_id,
    'application' as status_field,
    activity as status_raw,
    occurred_at,
    occurred_at_raw,
    event_number as event_sequence
from {{ ref('bpi2012_event') }}
where activity like 'A\_%' escape '\'
