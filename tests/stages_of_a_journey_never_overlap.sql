-- Within a journey each stage ends when the next begins, and only the last one may be open;
-- a journey begins no earlier than the one before it ended plus the minimum gap of its ending stage.
with interval_order as (

    select
        stage_interval.journey_key,
        stage_interval.entered_at,
        stage_interval.left_at,
        event.event_number,
        lead(stage_interval.entered_at) over (partition by stage_interval.journey_key order by event.event_number) as next_entered_at
    from {{ ref('int_lifecycle__stage_interval') }} as stage_interval
    inner join {{ ref('int_lifecycle__journey_event') }} as event
        on stage_interval.stage_event_key = event.stage_event_key

),

journey_order as (

    select
        journey_key,
        person_key,
        journey_number,
        entered_at,
        lag(ended_at) over (partition by person_key order by journey_number) as previous_ended_at,
        lag(outcome) over (partition by person_key order by journey_number) as previous_outcome,
        lag(journey_number) over (partition by person_key order by journey_number) as previous_number
    from {{ ref('fct_journey') }}

)

select 'stage interval' as broken, journey_key as example_key
from interval_order
where left_at < entered_at or left_at is distinct from next_entered_at
union all
select 'journey' as broken, journey_order.journey_key as example_key
from journey_order
left join {{ ref('recycle_rule') }} as recycle_rule on journey_order.previous_outcome = recycle_rule.stage
where
    journey_order.journey_number <> coalesce(journey_order.previous_number, 0) + 1
    or (
        journey_order.previous_number is not null
        and coalesce(
            {{ leadlag.seconds_between('journey_order.previous_ended_at', 'journey_order.entered_at') }}
            < recycle_rule.min_gap_days * 86400, true
        )
    )
