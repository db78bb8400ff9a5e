{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

with resolved as (

    select * from {{ ref('int_lifecycle__resolved_event') }}
    where is_effective and {{ leadlag.of_touched_persons(since) }}

),

ordered as (

    select
        resolved.*,
        row_number() over in_order as event_number,
        lag(stage) over in_order as previous_stage,
        lag(occurred_at) over in_order as previous_at
    from resolved
    window in_order as (partition by person_key order by occurred_at, event_sequence, stage_order, stage_event_key)

),

marked as (

    select
        ordered.*,
        case
            when
                ordered.stage_order < 6
                and {{ leadlag.seconds_between('ordered.previous_at', 'ordered.occurred_at') }} >= recycle_rule.min_gap_days * 86400
                then 1
            else 0
        end as starts_journey
    from ordered
    left join {{ ref('recycle_rule') }} as recycle_rule
        on ordered.previous_stage = recycle_rule.stage

),

numbered as (

    select
        marked.*,
        1 + sum(starts_journey) over (
            partition by person_key
            order by event_number
            rows between unbounded preceding and current row
        ) as journey_number
    from marked

)

select
    stage_event_key,
    {{ leadlag.key(['person_key', 'journey_number']) }} as journey_key,
    person_key,
    cast(journey_number as integer) as journey_number,
    cast(event_number as integer) as event_number,
    lead_record_key,
    opportunity_key,
    source_system,
    source_table,
    source_id,
    occurred_at,
    recorded_at,
    event_sequence,
    stage,
    stage_order,
    governing_system
from numbered
