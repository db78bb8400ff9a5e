-- Each offer sent is an opportunity of its application.
select
    'bpi2012' as source_system,
    'events' as source_table,
    application_id || ':' || offer_number as source_id,
    'lead' as record_type,
    application_id as record_source_id,
    requested_amount as amount,
    'EUR' as currency_code,
    occurred_at,
    occurred_at_raw,
    event_number as event_sequence
from {{ ref('bpi2012_event') }}
where activity = 'O_SENT'
