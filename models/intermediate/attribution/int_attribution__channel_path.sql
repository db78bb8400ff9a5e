select
    path_set_key,
    journey_key,
    channel,
    is_converted,
    concluded_date,
    count(*) as touch_count
from {{ ref('int_attribution__path') }}
group by path_set_key, journey_key, channel, is_converted, concluded_date
