{{ config(materialized='ephemeral') }}

select
    path_set_key,
    journey_key,
    channel,
    count(*) as touch_count
from {{ ref('int_attribution__path') }}
group by path_set_key, journey_key, channel
