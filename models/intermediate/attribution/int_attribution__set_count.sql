select
    path_set_key,
    channel_set_key,
    half,
    min(journey_key) as example_journey_key,
    {{ leadlag.double('count(*)') }} as path_count,
    {{ leadlag.double('sum(case when is_converted then 1 else 0 end)') }} as conversion_count
from {{ ref('int_attribution__channel_set') }}
group by path_set_key, channel_set_key, half
