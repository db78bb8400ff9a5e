-- A channel that only the journeys left out have met weighs nothing without them. No conversion, no weight.
with effect as (

    select * from {{ ref('int_attribution__removal_effect') }}

),

sample as (

    select distinct left_out_group
    from effect
    where left_out_group is not null

),

gridded as (

    select
        whole.attribution_model,
        whole.version,
        whole.milestone,
        whole.valid_from,
        sample.left_out_group,
        whole.learned_half,
        whole.channel,
        coalesce(own.removal_effect, 0) as removal_effect,
        whole.conversion_rate,
        whole.path_count
    from effect as whole
    cross join sample
    left join effect as own
        on
            whole.attribution_model = own.attribution_model
            and whole.version = own.version
            and whole.milestone = own.milestone
            and whole.valid_from = own.valid_from
            and sample.left_out_group = own.left_out_group
            and whole.channel = own.channel
    where whole.left_out_group = -1
    union all
    select
        attribution_model,
        version,
        milestone,
        valid_from,
        left_out_group,
        learned_half,
        channel,
        removal_effect,
        conversion_rate,
        path_count
    from effect
    where learned_half is not null

)

select
    attribution_model,
    version,
    milestone,
    valid_from,
    cast({{ dbt.dateadd('month', 3, 'valid_from') }} as date) as valid_to,
    left_out_group,
    learned_half,
    channel,
    removal_effect,
    conversion_rate,
    path_count,
    removal_effect / nullif(sum(removal_effect) over chain, 0) as weight
from gridded
window chain as (partition by attribution_model, version, milestone, valid_from, left_out_group, learned_half)
