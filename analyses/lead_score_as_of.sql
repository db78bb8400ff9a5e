-- What was a person's score at a time, and which rules made it? The time is var score_at (UTC; without it as_of); only what was
-- known then counts.
-- Run with `dbt show --select lead_score_as_of --limit 50 --vars '{score_at: "2025-06-30 12:00:00"}'`.
with event as (

    select
        event.*,
        {{ leadlag.seconds_between('event.occurred_at', 'moment.scored_at') }} / 86400 as age_days
    from {{ ref('lead_score_event') }} as event
    cross join (
        select {{ "cast('" ~ var('score_at') ~ "' as timestamp)" if var('score_at', none) else 'as_of' }} as scored_at
        from {{ ref('int_input__clock') }}
    ) as moment
    inner join {{ ref('int_scoring__policy_version') }} as policy
        on
            event.policy_version = policy.version
            and moment.scored_at >= policy.valid_from_at
            and (moment.scored_at < policy.valid_to_at or policy.valid_to_at is null)
    where event.known_at <= moment.scored_at

),

rule as (

    select
        person_key,
        policy_version,
        score_rule,
        count(*) as event_count,
        max({{ leadlag.double('maximum_points') }}) as maximum_points,
        sum(
            {{ leadlag.double('points') }} * case
                when half_life_days is null then 1
                else power({{ leadlag.double('0.5') }}, least(age_days / {{ leadlag.double('half_life_days') }}, 1000))
            end
        ) as points
    from event
    group by person_key, policy_version, score_rule

),

capped as (

    select
        person_key,
        policy_version,
        score_rule,
        event_count,
        case when maximum_points is null then points else greatest(least(points, maximum_points), -maximum_points) end as points
    from rule

)

select
    person_key,
    policy_version,
    sum(points) over (partition by person_key) as score,
    score_rule,
    event_count,
    points
from capped
order by score desc, person_key asc, points desc, score_rule asc
