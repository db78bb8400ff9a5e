select
    channel_set.path_set_key,
    channel_set.quarter_start,
    channel_set.channel_set_key,
    path.channel,
    path.campaign_key,
    sum({{ leadlag.double(1) }} / channel_path.touch_count) as conversion_count
from {{ ref('int_attribution__path') }} as path
inner join {{ ref('int_attribution__channel_path') }} as channel_path
    on
        path.path_set_key = channel_path.path_set_key
        and path.journey_key = channel_path.journey_key
        and path.channel = channel_path.channel
inner join {{ ref('int_attribution__channel_set') }} as channel_set
    on path.path_set_key = channel_set.path_set_key and path.journey_key = channel_set.journey_key
where path.path_set_key in (select model.path_set_key from {{ ref('int_attribution__model') }} as model where model.method = 'markov')
group by 1, 2, 3, 4, 5
