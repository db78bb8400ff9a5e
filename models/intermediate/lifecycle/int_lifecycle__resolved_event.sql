{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

with signal as (

    select * from {{ ref('int_lifecycle__stage_signal') }}
    where {{ leadlag.of_touched_persons(since) }}

),

authority as (

    select * from {{ ref('stage_authority') }}

),

system_first as (

    select
        person_key,
        source_system,
        min(occurred_at) as first_at
    from {{ ref('int_identity__lead_record_person') }}
    where {{ leadlag.of_touched_persons(since) }}
    group by person_key, source_system

),

-- Who governs is a question only for people whom several systems know.
several_systems as (

    select person_key
    from system_first
    group by person_key
    having count(*) > 1

),

governed as (

    select
        signal.stage_event_key,
        min(authority.priority) as priority
    from signal
    inner join several_systems on signal.person_key = several_systems.person_key
    inner join authority on signal.stage = authority.stage
    inner join system_first
        on
            signal.person_key = system_first.person_key
            and authority.source_system = system_first.source_system
            and {{ leadlag.seconds_between('signal.occurred_at', 'system_first.first_at') }} <= authority.tolerance_hours * 3600
    group by signal.stage_event_key

)

select
    signal.stage_event_key,
    signal.person_key,
    signal.lead_record_key,
    signal.opportunity_key,
    signal.source_system,
    signal.source_table,
    signal.source_id,
    signal.occurred_at,
    signal.recorded_at,
    signal.event_sequence,
    signal.stage,
    signal.stage_order,
    coalesce(authority.source_system, signal.source_system) as governing_system,
    authority.tolerance_hours,
    coalesce(authority.source_system, signal.source_system) = signal.source_system as is_effective
from signal
left join governed on signal.stage_event_key = governed.stage_event_key
left join authority
    on signal.stage = authority.stage and governed.priority = authority.priority
