{%- set age = 'greatest(' ~ leadlag.seconds_between('event.occurred_at', 'moment.scored_at') ~ ', 0)' -%}

with moment as (

    select
        person.person_key,
        cast(null as bigint) as journey_key,
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
        handoff_at as scored_at,
        policy_version,
        {{ dbt.dateadd('second', 1, 'handoff_at') }} as known_before
    from {{ ref('int_scoring__handoff') }}

),

rule as (

    select distinct
        version,
        score_rule,
        case when subject = 'attribute' then 'demographic' else 'behaviour' end as part,
        {{ leadlag.double('points') }} as points,
        {{ leadlag.double('maximum_points') }} as maximum_points
    from {{ ref('lead_score_rule') }}

),

-- How many fresh facts those of a rule are worth. Few and short columns, since here is a row a moment and fact. Beyond a thousand
-- half-lives nothing is left, and PostgreSQL refuses numbers that small.
summed as (

    select
        moment.person_key,
        moment.journey_key,
        event.score_rule,
        min(moment.scored_at) as scored_at,
        min(moment.policy_version) as policy_version,
        count(*) as event_count,
        max(event.occurred_at) as last_event_at,
        sum(
            case
                when event.half_life_days is null then 1
                else power({{ leadlag.double('0.5') }}, least({{ age }} / ({{ leadlag.double('event.half_life_days') }} * 86400), 1000))
            end
        ) as fresh_events
    from moment
    inner join {{ ref('lead_score_event') }} as event
        on
            moment.person_key = event.person_key
            and moment.policy_version = event.policy_version
            and (moment.scored_at >= event.known_at or moment.known_before > event.known_at)
    group by moment.person_key, moment.journey_key, event.score_rule

)

select
    summed.person_key,
    summed.journey_key,
    case when summed.journey_key is null then 'now' else 'handoff' end as moment,
    summed.scored_at,
    summed.policy_version,
    rule.part,
    summed.score_rule,
    summed.event_count,
    summed.last_event_at,
    rule.points * summed.event_count as points_undecayed,
    cast(
        case
            when rule.maximum_points is null then rule.points * summed.fresh_events
            else greatest(least(rule.points * summed.fresh_events, rule.maximum_points), -rule.maximum_points)
        end as numeric(18, 6)
    ) as points
from summed
inner join rule on summed.policy_version = rule.version and summed.score_rule = rule.score_rule
