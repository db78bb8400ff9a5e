-- What happens to an offer; the approval of the application wins its last offer.
select
    'bpi2012' as source_system,
    'events' as source_table,
    application_id || ':' || event_number as source_id,
    application_id || ':' || offer_number as opportunity_source_id,
    activity as stage_raw,
    activity in ('O_CANCELLED', 'O_DECLINED', 'O_ACCEPTED', 'A_APPROVED') as is_closed,
    activity in ('O_ACCEPTED', 'A_APPROVED') as is_won,
    requested_amount as amount,
    'EUR' as currency_code,
    occurred_at,
    occurred_at_raw,
    event_number as event_sequence
from {{ ref('bpi2012_event') }}
where
    activity in ('O_SENT', 'O_SENT_BACK', 'O_CANCELLED', 'O_DECLINED', 'O_ACCEPTED', 'A_APPROVED')
    and offer_number > 0
