-- Weights in force in a quarter come from the quarters before it, so no conversion has a say in its own credit. Each half of the
-- persons, over all quarters, has a chain for attribution_backtest.
with quarter as (

    select distinct dim_date.quarter_start
    from {{ ref('dim_date') }} as dim_date
    inner join {{ ref('int_input__clock') }} as clock on dim_date.date_day <= clock.as_of_date

),

trained as (

    select
        model.attribution_model,
        model.version,
        model.milestone,
        quarter.quarter_start as valid_from,
        transition.person_group,
        transition.from_channel,
        transition.to_channel,
        sum(transition.step_count) as step_count
    from {{ ref('int_attribution__model') }} as model
    inner join {{ ref('int_attribution__transition') }} as transition on model.path_set_key = transition.path_set_key
    inner join quarter
        on
            transition.quarter_start < quarter.quarter_start
            and cast({{ dbt.dateadd('month', '3 * model.training_quarters', 'transition.quarter_start') }} as date) >= quarter.quarter_start
    where model.method = 'markov'
    group by 1, 2, 3, 4, 5, 6, 7

),

whole as (

    select
        attribution_model,
        version,
        milestone,
        valid_from,
        from_channel,
        to_channel,
        sum(step_count) as step_count
    from trained
    group by 1, 2, 3, 4, 5, 6

),

sample as (

    select
        whole.*,
        cast(-1 as bigint) as left_out_group,
        cast(null as bigint) as learned_half
    from whole
    union all
    select
        whole.attribution_model,
        whole.version,
        whole.milestone,
        whole.valid_from,
        whole.from_channel,
        whole.to_channel,
        whole.step_count - coalesce(trained.step_count, 0) as step_count,
        out_group.person_group as left_out_group,
        cast(null as bigint) as learned_half
    from whole
    cross join (select distinct person_group from {{ ref('int_attribution__transition') }}) as out_group
    left join trained
        on
            whole.attribution_model = trained.attribution_model
            and whole.version = trained.version
            and whole.milestone = trained.milestone
            and whole.valid_from = trained.valid_from
            and whole.from_channel = trained.from_channel
            and whole.to_channel = trained.to_channel
            and out_group.person_group = trained.person_group
    union all
    select
        model.attribution_model,
        model.version,
        model.milestone,
        cast(null as date) as valid_from,
        transition.from_channel,
        transition.to_channel,
        sum(transition.step_count) as step_count,
        cast(null as bigint) as left_out_group,
        mod(transition.person_group, 2) as learned_half
    from {{ ref('int_attribution__model') }} as model
    inner join {{ ref('int_attribution__transition') }} as transition on model.path_set_key = transition.path_set_key
    where model.method = 'markov'
    group by 1, 2, 3, 5, 6, 9

)

select
    {{ leadlag.key(['attribution_model', 'version', 'milestone', 'valid_from', 'left_out_group', 'learned_half']) }} as chain_key,
    sample.*,
    {{ leadlag.double('step_count') }}
    / sum(step_count) over (
        partition by attribution_model, version, milestone, valid_from, left_out_group, learned_half, from_channel
    ) as probability
from sample
where step_count > 0
