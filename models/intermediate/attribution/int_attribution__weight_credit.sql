-- Models that weigh touches (time_decay, channel_weight) or the channels of a path (shapley, markov), whose touches share alike.
with house_weight as (

    select
        model.attribution_model,
        model.version,
        channel.channel,
        coalesce(max(case when weight.channel <> '*' then weight.weight end), max(weight.weight)) as weight
    from {{ ref('int_attribution__model') }} as model
    cross join (select distinct channel from {{ ref('channel_rule') }}) as channel
    inner join {{ ref('attribution_channel_weight') }} as weight
        on
            model.attribution_model = weight.attribution_model
            and model.version = weight.version
            and weight.channel in ('*', channel.channel)
    group by model.attribution_model, model.version, channel.channel

),

path as (

    select
        *,
        min(days_before) over (partition by path_set_key, journey_key) as last_days_before
    from {{ ref('int_attribution__path') }}

),

weighed as (

    select
        model.model_key,
        path.journey_key,
        path.touchpoint_key,
        {{ leadlag.double(1) }} / channel_path.touch_count as channel_part,
        case model.method
            when 'time_decay'
                then power({{ leadlag.double(2) }}, (path.last_days_before - path.days_before) / model.half_life_days)
            when 'channel_weight' then {{ leadlag.double('house_weight.weight') }}
            when 'shapley' then {{ leadlag.double(1) }} / channel_path.touch_count
            when 'markov' then {{ leadlag.double('channel_weight.weight') }} / channel_path.touch_count
        end as weight
    from path
    inner join {{ ref('int_attribution__model') }} as model on path.path_set_key = model.path_set_key and model.method <> 'position'
    inner join {{ ref('int_attribution__channel_path') }} as channel_path
        on
            path.path_set_key = channel_path.path_set_key
            and path.journey_key = channel_path.journey_key
            and path.channel = channel_path.channel
    left join house_weight
        on
            model.attribution_model = house_weight.attribution_model
            and model.version = house_weight.version
            and path.channel = house_weight.channel
    left join {{ ref('int_attribution__channel_weight') }} as channel_weight
        on
            model.attribution_model = channel_weight.attribution_model
            and model.version = channel_weight.version
            and model.milestone = channel_weight.milestone
            and path.channel = channel_weight.channel
            and channel_weight.left_out_group = -1
            and cast({{ dbt.date_trunc('quarter', 'path.concluded_date') }} as date) = channel_weight.valid_from

),

summed as (

    select
        *,
        sum(weight) over conversion as total_weight,
        sum(channel_part) over conversion as channel_count
    from weighed
    window conversion as (partition by model_key, journey_key)

)

-- Where nothing weighs, as before the first estimate or of channels unknown to it, the channels share alike.
select
    model_key,
    journey_key,
    touchpoint_key,
    case when total_weight > 0 then coalesce(weight, 0) / total_weight else channel_part / channel_count end as credit
from summed
where coalesce(total_weight, 0) = 0 or weight > 0
