{{ leadlag.incremental('changed_rows') }}

with event as (

    {{ leadlag.checked_input('status_event', required=['record_source_id'], texts=['status_raw'], parent='lead_record') }}

),

status_map as (

    select * from {{ ref('status_map') }}

),

record as (

    select * from {{ ref('int_input__lead_record_checked') }}

)

select
    event.status_event_key,
    event.source_system,
    event.source_table,
    event.source_id,
    event.occurred_at,
    event.occurred_at_raw,
    event.recorded_at,
    event.event_sequence,
    event.record_type,
    event.record_source_id,
    event.status_field,
    event.status_raw,
    event.changed_by_source_id,
    event.known_at,
    event.row_digest,
    event.lead_record_key,
    status_map.stage,
    coalesce(
        event.quarantine_rule,
        case when status_map.stage is null then 'unmapped_status' end,
        case when record.lead_record_key is null then 'orphan_reference' end
    ) as quarantine_rule,
    case
        when event.quarantine_rule is not null then event.quarantine_column
        when status_map.stage is null then 'status_raw'
        when record.lead_record_key is null then 'record_source_id'
    end as quarantine_column
from event
left join status_map
    on
        event.source_system = status_map.source_system
        and event.status_field = status_map.status_field
        and lower(trim(event.status_raw)) = lower(trim(status_map.status_raw))
left join record
    on event.lead_record_key = record.lead_record_key and record.quarantine_rule is null
