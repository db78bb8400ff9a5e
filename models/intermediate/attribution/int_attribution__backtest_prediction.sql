-- Each half of the persons is predicted by what the other half has taught (two-fold cross-fitting).
with scored as (

    select
        model.attribution_model,
        model.version,
        model.milestone,
        learned.half as learned_half,
        set_count.half,
        set_count.channel_set_key,
        set_count.path_count,
        set_count.conversion_count,
        coalesce(sum(value.conversions_per_path), 0) as score
    from {{ ref('int_attribution__set_count') }} as set_count
    inner join {{ ref('int_attribution__model') }} as model on set_count.path_set_key = model.path_set_key
    inner join {{ ref('int_attribution__set_channel') }} as member
        on set_count.path_set_key = member.path_set_key and set_count.channel_set_key = member.channel_set_key
    cross join (select distinct half from {{ ref('int_attribution__set_count') }}) as learned
    left join {{ ref('int_attribution__backtest_value') }} as value
        on
            model.attribution_model = value.attribution_model
            and model.version = value.version
            and model.milestone = value.milestone
            and learned.half = value.half
            and member.channel = value.channel
    group by
        model.attribution_model,
        model.version,
        model.milestone,
        learned.half,
        set_count.half,
        set_count.channel_set_key,
        set_count.path_count,
        set_count.conversion_count

),

averaged as (

    select
        *,
        sum(conversion_count) over half / sum(path_count) over half as base_rate,
        sum(path_count * score) over half / sum(path_count) over half as mean_score
    from scored
    where half = learned_half
    window half as (partition by attribution_model, version, milestone, learned_half)

),

-- Least squares; scores that differ in their last bits only have no slope.
fitted as (

    select
        attribution_model,
        version,
        milestone,
        learned_half,
        min(base_rate) as base_rate,
        min(mean_score) as mean_score,
        case
            when sum(path_count * power(score - mean_score, 2)) > 1e-18 * sum(path_count)
                then greatest(
                    sum((conversion_count - path_count * base_rate) * (score - mean_score))
                    / sum(path_count * power(score - mean_score, 2)), 0
                )
            else 0
        end as slope
    from averaged
    group by attribution_model, version, milestone, learned_half

)

select
    scored.attribution_model,
    scored.version,
    scored.milestone,
    scored.conversion_count,
    scored.path_count - scored.conversion_count as lost_count,
    fitted.base_rate as base,
    least(greatest(fitted.base_rate + fitted.slope * (scored.score - fitted.mean_score), 0), 1) as probability
from scored
inner join fitted
    on
        scored.attribution_model = fitted.attribution_model
        and scored.version = fitted.version
        and scored.milestone = fitted.milestone
        and scored.learned_half = fitted.learned_half
        and scored.half <> fitted.learned_half
