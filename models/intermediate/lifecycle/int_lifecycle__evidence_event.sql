{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

with evidence as (

    select * from {{ ref('int_lifecycle__resolved_event') }}
    where not is_effective and {{ leadlag.of_touched_persons(since) }}

),

-- Every event of the governing system that the evidence could agree with, nearest first.
compared as (

    select
        evidence.stage_event_key,
        governing.stage_event_key as governing_event_key,
        governing.occurred_at as governing_at,
        {{ leadlag.seconds_between('governing.occurred_at', 'evidence.occurred_at') }} as difference_seconds,
        row_number() over (
            partition by evidence.stage_event_key
            order by
                abs({{ leadlag.seconds_between('governing.occurred_at', 'evidence.occurred_at') }}),
                governing.occurred_at,
                governing.event_sequence,
                governing.stage_event_key
        ) as nearness
    from evidence
    inner join {{ ref('int_lifecycle__resolved_event') }} as governing
        on
            evidence.person_key = governing.person_key
            and evidence.stage = governing.stage
            and evidence.governing_system = governing.source_system

)

select
    evidence.stage_event_key,
    evidence.person_key,
    evidence.lead_record_key,
    evidence.opportunity_key,
    evidence.source_system,
    evidence.source_table,
    evidence.source_id,
    evidence.occurred_at,
    evidence.recorded_at,
    evidence.event_sequence,
    evidence.stage,
    evidence.stage_order,
    evidence.governing_system,
    evidence.tolerance_hours,
    compared.governing_event_key,
    compared.governing_at,
    compared.difference_seconds,
    case
        when abs(compared.difference_seconds) <= evidence.tolerance_hours * 3600 then 'corroborating'
        else 'overruled'
    end as resolution
from evidence
left join compared
    on evidence.stage_event_key = compared.stage_event_key and compared.nearness = 1
