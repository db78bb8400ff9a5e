with example as (

    select
        path_set_key,
        channel_set_key,
        min(example_journey_key) as journey_key
    from {{ ref('int_attribution__set_count') }}
    group by path_set_key, channel_set_key

)

select
    example.path_set_key,
    example.channel_set_key,
    coalesce(channel_path.channel, 'unattributed') as channel
from example
left join {{ ref('int_attribution__channel_path') }} as channel_path
    on example.path_set_key = channel_path.path_set_key and example.journey_key = channel_path.journey_key
