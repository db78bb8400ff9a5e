-- Change of log credit on change of log spend, through the origin: what grows or falls slowly cancels out.
with fitted as (

    select
        count(spend_change) as month_count,
        sum(spend_change * credit_change) / nullif(sum(spend_change * spend_change), 0) as slope,
        sum(spend_change * spend_change) as spend_squares,
        sum(spend_change * credit_change) as products,
        sum(credit_change * credit_change) as credit_squares
    from {{ ref('int_attribution__spend_month') }}
    where spend_change is not null and credit_change is not null

),

estimated as (

    select
        month_count,
        slope,
        case
            when month_count > 2 and spend_squares > 0
                then greatest((credit_squares - slope * products) / (month_count - 1) / spend_squares, 1e-12)
        end as slope_variance
    from fitted

),

-- The rule's elasticity and the estimate, weighted by their precision (two normal distributions multiplied).
weighed as (

    select
        estimated.*,
        {{ leadlag.double('rule.elasticity') }} as prior_elasticity,
        {{ leadlag.double('rule.elasticity_sd') }} as prior_sd,
        1 / ({{ leadlag.double('rule.elasticity_sd') }} * rule.elasticity_sd) as prior_precision,
        coalesce(1 / estimated.slope_variance, 0) as precision_of_estimate
    from estimated
    cross join {{ ref('channel_budget_rule') }} as rule

)

-- Returns diminish: above 0 and below 1.
select
    month_count,
    slope as estimated_elasticity,
    sqrt(slope_variance) as estimated_standard_error,
    prior_elasticity,
    prior_sd,
    least(greatest(
        (prior_elasticity * prior_precision + coalesce(slope, 0) * precision_of_estimate) / (prior_precision + precision_of_estimate), 0.01
    ), 0.95) as elasticity,
    1 / sqrt(prior_precision + precision_of_estimate) as standard_error
from weighed
