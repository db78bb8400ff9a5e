{#- A view: contributions are the touchpoints, activities and product events once more, and a score needs only their sums. -#}
{{ config(materialized='view') }}

with matched as (

    select
        signal.*,
        match.version,
        match.score_rule,
        match.points,
        match.half_life_days,
        match.maximum_points,
        -- An attribute that several records tell counts once, from when the first of them did.
        case when signal.subject = 'attribute' then row_number() over (
            partition by match.version, signal.person_key, match.score_rule, signal.subject
            order by signal.known_at, signal.subject_key, signal.kind, signal.detail
        ) end as place
    from {{ ref('int_scoring__signal') }} as signal
    inner join {{ ref('int_scoring__rule_match') }} as match
        on
            signal.subject = match.subject
            and signal.kind = match.kind
            and signal.detail = match.detail
            and signal.channel = match.channel
            and signal.page = match.page

)

select
    version as policy_version,
    person_key,
    score_rule,
    case when subject = 'attribute' then 'demographic' else 'behaviour' end as part,
    subject,
    subject_key,
    occurred_at,
    known_at,
    points,
    half_life_days,
    maximum_points
from matched
where coalesce(place, 1) = 1
