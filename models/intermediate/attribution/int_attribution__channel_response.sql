-- What the last unit of money brought: by the curve through spend and credited margin, or by an experiment where there was one.
with budget_window as (

    select
        rule.attribution_model,
        rule.milestone,
        rule.bound_share,
        cast({{ dbt.dateadd('month', '-3 * rule.window_quarters', dbt.date_trunc('quarter', 'clock.as_of_date')) }} as date) as window_from,
        cast({{ dbt.date_trunc('quarter', 'clock.as_of_date') }} as date) as window_to,
        clock.as_of_date
    from {{ ref('channel_budget_rule') }} as rule
    cross join {{ ref('int_input__clock') }} as clock

),

spent as (

    select
        spend.channel,
        sum(spend.amount_base) as spend_base
    from {{ ref('int_engagement__spend') }} as spend
    inner join budget_window on spend.spend_date >= budget_window.window_from and spend.spend_date < budget_window.window_to
    group by spend.channel
    having sum(spend.amount_base) > 0

),

conversion as (

    select
        credit.channel,
        credit.journey_key,
        sum(credit.credit * coalesce(value.gross_margin, 0)) as gross_margin
    from {{ ref('fct_attribution_credit') }} as credit
    inner join budget_window
        on
            credit.attribution_model = budget_window.attribution_model
            and credit.milestone = budget_window.milestone
            and credit.converted_date >= budget_window.window_from
            and credit.converted_date < budget_window.window_to
    left join {{ ref('int_attribution__conversion_value') }} as value on credit.journey_key = value.journey_key
    group by credit.channel, credit.journey_key

),

earned as (

    select
        channel,
        sum(gross_margin) as gross_margin,
        sum(gross_margin * gross_margin) as margin_squares
    from conversion
    group by channel

),

-- Conversions as events of a Poisson process: the variance of a sum is the sum of squares, and never less than that of one event.
varied as (

    select
        spent.channel,
        spent.spend_base,
        coalesce(earned.gross_margin, 0) as gross_margin,
        case when event.margin_squares > 0 then greatest(coalesce(earned.margin_squares, 0), event.margin_squares) end as margin_variance
    from spent
    left join earned on spent.channel = earned.channel
    cross join (select avg(gross_margin * gross_margin) as margin_squares from conversion where gross_margin > 0) as event

),

experiment as (

    select
        channel_experiment.*,
        row_number() over (partition by channel_experiment.channel order by channel_experiment.ended_on desc) as recency
    from {{ ref('channel_experiment') }} as channel_experiment
    inner join budget_window on channel_experiment.ended_on <= budget_window.as_of_date

)

select
    varied.channel,
    budget_window.attribution_model,
    budget_window.milestone,
    budget_window.window_from,
    budget_window.window_to,
    {{ leadlag.double('budget_window.bound_share') }} as bound_share,
    varied.spend_base,
    varied.gross_margin,
    elasticity.elasticity,
    elasticity.standard_error as elasticity_standard_error,
    case when experiment.channel is not null then 'experiment' else 'correlational' end as basis,
    coalesce(
        {{ leadlag.double('experiment.margin_change') }} / experiment.spend_change,
        elasticity.elasticity * varied.gross_margin / varied.spend_base
    ) as marginal_return,
    -- Of a product of two estimates (delta method); null where nothing was earned by any channel.
    coalesce(
        {{ leadlag.double('experiment.margin_standard_error') }} / abs(experiment.spend_change),
        sqrt(
            elasticity.elasticity * elasticity.elasticity * varied.margin_variance
            + varied.gross_margin * varied.gross_margin * elasticity.standard_error * elasticity.standard_error
        ) / varied.spend_base
    ) as marginal_standard_error
from varied
cross join budget_window
cross join {{ ref('int_attribution__elasticity') }} as elasticity
left join experiment on varied.channel = experiment.channel and experiment.recency = 1
