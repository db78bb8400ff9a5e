{{ config(materialized='view') }}

select
    stage_event_key,
    journey_key,
    person_key,
    stage,
    stage_order,
    occurred_at as entered_at,
    lead(occurred_at) over (partition by journey_key order by event_number) as left_at
from {{ ref('int_lifecycle__journey_event') }}
