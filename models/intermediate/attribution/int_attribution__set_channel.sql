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
    coalesce(met_channel.channel, 'unattributed') as channel
from example
left join {{ ref('int_attribution__met_channel') }} as met_channel
    on example.path_set_key = met_channel.path_set_key and example.journey_key = met_channel.journey_key
