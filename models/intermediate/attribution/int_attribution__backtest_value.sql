-- What a model says that a channel is worth: the conversions it credits to the channel, for each path that met it, by half of the
-- persons. Over the paths of the half these add up to its conversions, whatever the model. Paths without a touch are a channel too.
with member as (

    select * from {{ ref('int_attribution__set_channel') }}

),

met as (

    select
        set_count.path_set_key,
        set_count.half,
        member.channel,
        sum(set_count.path_count) as path_count
    from {{ ref('int_attribution__set_count') }} as set_count
    inner join member on set_count.path_set_key = member.path_set_key and set_count.channel_set_key = member.channel_set_key
    group by set_count.path_set_key, set_count.half, member.channel

),

-- Of credit to paths that have touches but none that holds a position the model says nothing.
given as (

    select
        model.attribution_model,
        model.version,
        model.milestone,
        channel_set.half,
        credit.channel,
        sum(credit.credit) as credit
    from {{ ref('fct_attribution_credit') }} as credit
    inner join {{ ref('int_attribution__model') }} as model
        on
            credit.attribution_model = model.attribution_model
            and credit.version = model.version
            and credit.milestone = model.milestone
            and model.method <> 'markov'
    inner join {{ ref('int_attribution__channel_set') }} as channel_set
        on model.path_set_key = channel_set.path_set_key and credit.journey_key = channel_set.journey_key
    where credit.touchpoint_key is not null or channel_set.channel_set_key = 0
    group by model.attribution_model, model.version, model.milestone, channel_set.half, credit.channel

),

-- Weights of Markov models are learned from other quarters, and so from both halves: here from one half alone.
weighed as (

    select
        model.attribution_model,
        model.version,
        model.milestone,
        set_count.half,
        member.channel,
        set_count.conversion_count,
        weight.weight,
        sum(weight.weight) over same_set as total_weight,
        count(*) over same_set as channel_count
    from {{ ref('int_attribution__set_count') }} as set_count
    inner join {{ ref('int_attribution__model') }} as model on set_count.path_set_key = model.path_set_key and model.method = 'markov'
    inner join member on set_count.path_set_key = member.path_set_key and set_count.channel_set_key = member.channel_set_key
    left join {{ ref('int_attribution__channel_weight') }} as weight
        on
            model.attribution_model = weight.attribution_model
            and model.version = weight.version
            and model.milestone = weight.milestone
            and set_count.half = weight.learned_half
            and member.channel = weight.channel
    window same_set as (
        partition by model.attribution_model, model.version, model.milestone, set_count.half, set_count.channel_set_key
    )

),

credited as (

    select * from given
    union all
    select
        attribution_model,
        version,
        milestone,
        half,
        channel,
        sum(conversion_count * {{ leadlag.set_share() }}) as credit
    from weighed
    group by attribution_model, version, milestone, half, channel

)

select
    model.attribution_model,
    model.version,
    model.milestone,
    met.half,
    met.channel,
    coalesce(credited.credit, 0) / met.path_count as conversions_per_path
from met
inner join {{ ref('int_attribution__model') }} as model on met.path_set_key = model.path_set_key
left join credited
    on
        model.attribution_model = credited.attribution_model
        and model.version = credited.version
        and model.milestone = credited.milestone
        and met.half = credited.half
        and met.channel = credited.channel
