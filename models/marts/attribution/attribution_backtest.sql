with summed as (

    select
        attribution_model,
        version,
        milestone,
        sum(conversion_count + lost_count) as journey_count,
        sum(conversion_count) as conversion_count,
        sum(conversion_count * (1 - base) * (1 - base) + lost_count * base * base) as base_error,
        -- a * a - b * b as (a - b) * (a + b), which keeps its digits.
        sum(conversion_count * (probability - base) * (2 - base - probability) + lost_count * (base - probability) * (base + probability))
            as gain,
        sum(
            conversion_count * power((probability - base) * (2 - base - probability), 2)
            + lost_count * power((base - probability) * (base + probability), 2)
        ) as squared_gain
    from {{ ref('int_attribution__backtest_prediction') }}
    group by attribution_model, version, milestone

),

judged as (

    select
        *,
        gain / journey_count as mean_gain,
        {{ leadlag.normal_quantile() }} * sqrt(
            greatest(squared_gain / journey_count - power(gain / journey_count, 2), 0) / nullif(journey_count - 1, 0)
        ) as noise
    from summed

)

select
    model.attribution_model,
    model.version,
    model.milestone,
    cast(coalesce(judged.journey_count, 0) as bigint) as journey_count,
    cast(coalesce(judged.conversion_count, 0) as bigint) as conversion_count,
    judged.base_error / judged.journey_count as base_brier,
    (judged.base_error - judged.gain) / judged.journey_count as model_brier,
    judged.mean_gain as gain,
    judged.mean_gain - judged.noise as gain_low,
    judged.mean_gain + judged.noise as gain_high,
    judged.gain / nullif(judged.base_error, 0) as gain_share,
    coalesce(judged.mean_gain > judged.noise, false) as is_better_than_base
from {{ ref('int_attribution__model') }} as model
left join judged
    on
        model.attribution_model = judged.attribution_model
        and model.version = judged.version
        and model.milestone = judged.milestone
