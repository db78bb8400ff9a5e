{%- set z = leadlag.normal_quantile() -%}

with response as (

    select
        *,
        1 / (marginal_standard_error * marginal_standard_error) as inverse_variance
    from {{ ref('int_attribution__channel_response') }}

),

-- Cochran's Q: how much the channels differ beyond their errors.
difference as (

    select
        sum(spend_base) as total_spend,
        count(*) - 1 as freedom,
        sum(inverse_variance * marginal_return * marginal_return)
        - sum(inverse_variance * marginal_return) * sum(inverse_variance * marginal_return) / sum(inverse_variance) as q,
        sum(inverse_variance) - sum(inverse_variance * inverse_variance) / sum(inverse_variance) as scale
    from response

),

-- The variance of true returns among channels (DerSimonian and Laird 1986, doi 10.1016/0197-2456(86)90046-2); none unless Q exceeds the
-- quantile of chi-square by Wilson and Hilferty (1931).
spread as (

    select
        total_spend,
        case
            when freedom > 0 and q > freedom * power(1 - 2.0 / (9 * freedom) + {{ z }} * sqrt(2.0 / (9 * freedom)), 3)
                then (q - freedom) / scale
            else 0
        end as true_variance
    from difference

),

centred as (

    select
        response.*,
        spread.total_spend,
        spread.true_variance,
        sum(response.marginal_return / (1 / response.inverse_variance + spread.true_variance)) over ()
        / sum(1 / (1 / response.inverse_variance + spread.true_variance)) over () as mean_return
    from response
    cross join spread

)

-- Each return is drawn towards the mean by the share of its error.
select
    centred.*,
    mean_return + (marginal_return - mean_return) * true_variance
    / (true_variance + marginal_standard_error * marginal_standard_error) as judged_return,
    true_variance = 0 as is_within_noise
from centred
