-- What credit by Markov models owes to chance in the weights: all of it again with the weights that each left-out group of persons
-- leaves. Who met the same channels in a quarter has the same split.
with sample as (

    select distinct left_out_group
    from {{ ref('int_attribution__channel_weight') }}
    where left_out_group >= 0

),

member as (

    select distinct
        path_set_key,
        quarter_start,
        channel_set_key,
        channel
    from {{ ref('int_attribution__set_part') }}

),

weighed as (

    select
        model.model_key,
        sample.left_out_group,
        member.*,
        weight.weight,
        sum(weight.weight) over same_set as total_weight,
        count(*) over same_set as channel_count
    from member
    inner join {{ ref('int_attribution__model') }} as model on member.path_set_key = model.path_set_key and model.method = 'markov'
    cross join sample
    left join {{ ref('int_attribution__channel_weight') }} as weight
        on
            model.attribution_model = weight.attribution_model
            and model.version = weight.version
            and model.milestone = weight.milestone
            and member.channel = weight.channel
            and member.quarter_start = weight.valid_from
            and sample.left_out_group = weight.left_out_group
    window same_set as (partition by model.model_key, sample.left_out_group, member.quarter_start, member.channel_set_key)

),

credited as (

    select
        weighed.model_key,
        weighed.left_out_group,
        part.quarter_start,
        part.channel,
        coalesce(cast(part.campaign_key as {{ dbt.type_string() }}), '(none)') as campaign,
        part.conversion_count * {{ leadlag.set_share() }} as credit
    from {{ ref('int_attribution__set_part') }} as part
    inner join weighed
        on
            part.path_set_key = weighed.path_set_key
            and part.quarter_start = weighed.quarter_start
            and part.channel_set_key = weighed.channel_set_key
            and part.channel = weighed.channel

),

summed as (

    select
        model_key,
        left_out_group,
        case when grouping(quarter_start) = 0 then 'quarter' else 'total' end as period_grain,
        coalesce(quarter_start, cast('1000-01-01' as date)) as period_start,
        case when grouping(channel) = 0 then 'channel' else 'campaign' end as cut_name,
        case when grouping(channel) = 0 then channel else campaign end as cut_value,
        sum(credit) as credit
    from credited
    group by grouping sets (
        (model_key, left_out_group, quarter_start, channel),
        (model_key, left_out_group, quarter_start, campaign),
        (model_key, left_out_group, channel),
        (model_key, left_out_group, campaign)
    )

)

-- Delete-a-group jackknife. Totals have a date, so that joins need no null.
select
    model_key,
    period_grain,
    period_start,
    cut_name,
    cut_value,
    (count(*) - 1) * var_pop(credit) as weight_variance
from summed
group by model_key, period_grain, period_start, cut_name, cut_value
