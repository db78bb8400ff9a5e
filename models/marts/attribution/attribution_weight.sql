{%- set t = leadlag.t_quantile(19) -%}

with weight as (

    select * from {{ ref('int_attribution__channel_weight') }}
    where left_out_group is not null

),

-- Weights and their change since the quarter before, for all journeys and without each of 20 groups of persons. Both quarters leave out
-- the same group, so what they share does not count as change. A channel that a quarter has not seen weighs nothing.
paired as (

    select
        present.*,
        present.weight > 0 and present.path_count * present.conversion_rate > 19.5 as is_enough,
        case
            when count(earlier.weight) over (
                partition by
                    present.attribution_model, present.version, present.milestone, present.valid_from, present.left_out_group
            ) > 0
                then coalesce(earlier.weight, 0)
        end as previous_weight
    from weight as present
    left join weight as earlier
        on
            present.attribution_model = earlier.attribution_model
            and present.version = earlier.version
            and present.milestone = earlier.milestone
            and present.valid_from = earlier.valid_to
            and present.left_out_group = earlier.left_out_group
            and present.channel = earlier.channel

),

-- Delete-a-group jackknife: (g - 1) / g of the squared deviations of the g samples. None where without some group nothing converted:
-- and none with fewer conversions than groups.
spread as (

    select
        attribution_model,
        version,
        milestone,
        valid_from,
        channel,
        case when count(weight) = count(*) then sqrt((count(*) - 1) * var_pop(weight)) end as standard_error,
        case
            when count(weight - previous_weight) = count(*) then sqrt((count(*) - 1) * var_pop(weight - previous_weight))
        end as change_standard_error
    from paired
    where left_out_group >= 0
    group by attribution_model, version, milestone, valid_from, channel

)

select
    {{ leadlag.key(['paired.attribution_model', 'paired.version', 'paired.milestone', 'paired.valid_from', 'paired.channel']) }}
        as attribution_weight_key,
    paired.attribution_model,
    paired.version,
    paired.milestone,
    paired.valid_from,
    paired.valid_to,
    paired.channel,
    cast(paired.path_count as bigint) as path_count,
    paired.conversion_rate,
    paired.removal_effect,
    paired.weight,
    case when paired.is_enough then greatest(paired.weight - {{ t }} * spread.standard_error, 0) end as weight_low,
    case when paired.is_enough then least(paired.weight + {{ t }} * spread.standard_error, 1) end as weight_high,
    paired.weight - paired.previous_weight as weight_change,
    paired.weight - paired.previous_weight - {{ t }} * spread.change_standard_error as weight_change_low,
    paired.weight - paired.previous_weight + {{ t }} * spread.change_standard_error as weight_change_high
from paired
left join spread
    on
        paired.attribution_model = spread.attribution_model
        and paired.version = spread.version
        and paired.milestone = spread.milestone
        and paired.valid_from = spread.valid_from
        and paired.channel = spread.channel
where paired.left_out_group = -1
