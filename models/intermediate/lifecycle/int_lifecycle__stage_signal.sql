{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

with signal as (

    select
        status_event_key as stage_event_key,
        lead_record_key,
        cast(null as bigint) as opportunity_key,
        source_system,
        source_table,
        source_id,
        occurred_at,
        recorded_at,
        event_sequence,
        stage
    from {{ ref('int_input__status_event') }}
    where stage <> 'ignored'
    union all
    select
        stage_event_key,
        lead_record_key,
        opportunity_key,
        source_system,
        source_table,
        source_id,
        occurred_at,
        recorded_at,
        event_sequence,
        stage
    from {{ ref('int_lifecycle__opportunity_stage') }}

)

select
    signal.stage_event_key,
    person.person_key,
    signal.lead_record_key,
    signal.opportunity_key,
    signal.source_system,
    signal.source_table,
    signal.source_id,
    signal.occurred_at,
    signal.recorded_at,
    signal.event_sequence,
    signal.stage,
    stage.stage_order
from signal
inner join {{ ref('int_identity__lead_record_person') }} as person
    on signal.lead_record_key = person.lead_record_key
inner join {{ ref('stage') }} as stage
    on signal.stage = stage.stage
where {{ leadlag.of_touched_persons(since, 'person.person_key') }}
