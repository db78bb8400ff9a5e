{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

with journey_event as (

    select
        event.*,
        max(case when event.stage_order <= 6 then event.stage_order end) over (
            partition by event.journey_key
            order by event.event_number
            rows between unbounded preceding and 1 preceding
        ) as furthest_before
    from {{ ref('int_lifecycle__journey_event') }} as event
    where {{ leadlag.of_touched_persons(since) }}

)

select
    event.stage_event_key,
    event.person_key,
    event.journey_key,
    event.lead_record_key,
    event.opportunity_key,
    event.source_system,
    event.source_table,
    event.source_id,
    event.occurred_at,
    event.recorded_at,
    event.event_number,
    event.stage,
    'effective' as resolution,
    case
        when event.stage_order > 6 then 'outcome'
        when event.furthest_before is null or event.stage_order > event.furthest_before then 'forward'
        when event.stage_order = event.furthest_before then 'repeat'
        else 'backward'
    end as movement,
    event.stage_order <= 6 and (event.furthest_before is null or event.stage_order > event.furthest_before) as is_milestone
from journey_event as event
union all
select
    evidence.stage_event_key,
    evidence.person_key,
    journey.journey_key,
    evidence.lead_record_key,
    evidence.opportunity_key,
    evidence.source_system,
    evidence.source_table,
    evidence.source_id,
    evidence.occurred_at,
    evidence.recorded_at,
    cast(null as integer) as event_number,
    evidence.stage,
    evidence.resolution,
    cast(null as {{ dbt.type_string() }}) as movement,
    false as is_milestone
from {{ ref('int_lifecycle__evidence_event') }} as evidence
left join {{ ref('int_lifecycle__journey') }} as journey
    on
        evidence.person_key = journey.person_key
        and evidence.occurred_at > journey.owns_after
        and evidence.occurred_at <= journey.owns_until
where {{ leadlag.of_touched_persons(since, 'evidence.person_key') }}
