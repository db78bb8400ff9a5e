{%- set age = 'greatest(' ~ leadlag.seconds_between('event.occurred_at', 'moment.scored_at') ~ ', 0)' -%}

with moment as (

    select
        person.person_key,
        cast(null as bigint) as journey_key,
        'now' as moment,
        clock.as_of as scored_at,
        policy.version as policy_version,
        clock.as_of as known_before
    from {{ ref('dim_person') }} as person
    cross join {{ ref('int_input__clock') }} as clock
    inner join {{ ref('int_scoring__policy_version') }} as policy
        on clock.as_of >= policy.valid_from_at and (clock.as_of < policy.valid_to_at or policy.valid_to_at is null)
    union all
    -- Systems of record keep whole seconds: a form in the second of the handoff is not after it.
    select
        person_key,
        journey_key,
        'handoff' as moment,
        handoff_at as scored_at,
        policy_version,
        {{ dbt.dateadd('second', 1, 'handoff_at') }} as known_before
    from {{ ref('int_scoring__handoff') }}

),

-- Beyond a thousand half-lives nothing is left, and PostgreSQL refuses numbers that small.
summed as (

    select
        moment.person_key,
        moment.journey_key,
        moment.moment,
        moment.scored_at,
        moment.policy_version,
        event.part,
        event.score_rule,
        count(*) as event_count,
        max(event.occurred_at) as last_event_at,
        sum({{ leadlag.double('event.points') }}) as points_undecayed,
        max({{ leadlag.double('event.maximum_points') }}) as maximum_points,
        sum(
            {{ leadlag.double('event.points') }} * case
                when event.half_life_days is null then 1
                else power({{ leadlag.double('0.5') }}, least({{ age }} / ({{ leadlag.double('event.half_life_days') }} * 86400), 1000))
            end
        ) as points_decayed
    from moment
    inner join {{ ref('lead_score_event') }} as event
        on
            moment.person_key = event.person_key
            and moment.policy_version = event.policy_version
            and (moment.scored_at >= event.known_at or moment.known_before > event.known_at)
    group by
        moment.person_key, moment.journey_key, moment.moment, moment.scored_at, moment.policy_version, event.part, event.score_rule

)

select
    {{ leadlag.key(['person_key', 'journey_key', 'score_rule']) }} as explanation_key,
    person_key,
    journey_key,
    moment,
    scored_at,
    policy_version,
    part,
    score_rule,
    event_count,
    last_event_at,
    points_undecayed,
    cast(
        case
            when maximum_points is null then points_decayed
            else greatest(least(points_decayed, maximum_points), -maximum_points)
        end as numeric(18, 6)
    ) as points
from summed
