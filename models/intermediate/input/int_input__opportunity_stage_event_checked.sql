{{ leadlag.incremental('changed_rows') }}

with event as (

    {{ leadlag.checked_input(
        'opportunity_stage_event',
        required=['opportunity_source_id'],
        texts=['stage_raw'],
        rules=[['negative_amount', 'amount', 'amount < 0']],
        parent='opportunity'
    ) }}

),

opportunity as (

    select * from {{ ref('int_input__opportunity_checked') }}

)

select
    event.opportunity_stage_event_key,
    event.source_system,
    event.source_table,
    event.source_id,
    event.occurred_at,
    event.occurred_at_raw,
    event.recorded_at,
    event.event_sequence,
    event.opportunity_source_id,
    event.stage_raw,
    event.is_closed,
    event.is_won,
    event.probability,
    event.amount,
    event.currency_code,
    event.forecast_category,
    event.known_at,
    event.row_digest,
    event.opportunity_key,
    case
        when event.quarantine_rule is not null then event.quarantine_rule
        when opportunity.opportunity_key is null then 'orphan_reference'
    end as quarantine_rule,
    case
        when event.quarantine_rule is not null then event.quarantine_column
        when opportunity.opportunity_key is null then 'opportunity_source_id'
    end as quarantine_column
from event
left join opportunity
    on event.opportunity_key = opportunity.opportunity_key and opportunity.quarantine_rule is null
