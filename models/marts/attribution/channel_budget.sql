{%- set z = leadlag.normal_quantile() -%}

-- Of returns k * spend ^ elasticity the marginal ones are equal where spend is in proportion to weight.
with weighed as (

    select
        *,
        spend_base * (1 - bound_share) as lowest_spend,
        spend_base * (1 + bound_share) as highest_spend,
        spend_base * power(greatest(judged_return, 1e-9), 1 / (1 - elasticity)) as weight
    from {{ ref('int_attribution__judged_response') }}

),

-- Spend at a level is level x weight, within its bounds. The total is linear in the level between the levels at which some
-- channel meets a bound.
bound as (

    select lowest_spend / weight as level from weighed
    union
    select highest_spend / weight as level from weighed

),

filled as (

    select
        bound.level,
        sum(least(greatest(bound.level * weighed.weight, weighed.lowest_spend), weighed.highest_spend)) as total_at_level
    from bound
    cross join weighed
    group by bound.level

),

bracket as (

    select
        max(case when filled.total_at_level <= budget.total_spend then filled.level end) as level_below,
        max(case when filled.total_at_level <= budget.total_spend then filled.total_at_level end) as total_below,
        min(case when filled.total_at_level > budget.total_spend then filled.level end) as level_above,
        min(case when filled.total_at_level > budget.total_spend then filled.total_at_level end) as total_above
    from filled
    cross join (select max(weighed.total_spend) as total_spend from weighed) as budget

),

recommended as (

    select
        weighed.*,
        case
            when weighed.is_within_noise then weighed.spend_base
            else least(greatest(weighed.lowest_spend, weighed.weight * (
                bracket.level_below + (weighed.total_spend - bracket.total_below)
                * (bracket.level_above - bracket.level_below) / (bracket.total_above - bracket.total_below)
            )), weighed.highest_spend)
        end as recommended_spend
    from weighed
    cross join bracket

)

select
    channel,
    attribution_model,
    milestone,
    window_from,
    window_to,
    spend_base,
    gross_margin,
    elasticity,
    greatest(elasticity - {{ z }} * elasticity_standard_error, 0) as elasticity_low,
    elasticity + {{ z }} * elasticity_standard_error as elasticity_high,
    basis,
    marginal_return,
    marginal_return - {{ z }} * marginal_standard_error as marginal_return_low,
    marginal_return + {{ z }} * marginal_standard_error as marginal_return_high,
    judged_return,
    is_within_noise,
    lowest_spend,
    highest_spend,
    recommended_spend,
    recommended_spend / spend_base - 1 as recommended_change,
    judged_return * spend_base / elasticity * (power(recommended_spend / spend_base, elasticity) - 1) as expected_margin_change
from recommended
