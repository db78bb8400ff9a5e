{#- A view: contributions are the touchpoints, activities and product events once more, and a score needs only their sums. -#}
{{ config(materialized='view') }}

with matched as {{ 'not materialized ' if target.type != 'spark' }}(

    select
        signal.*,
        match.version,
        match.score_rule,
        match.points,
        match.half_life_days,
        match.maximum_points
    from {{ ref('int_scoring__signal') }} as signal
    inner join {{ ref('int_scoring__rule_match') }} as match
        on
            signal.subject = match.subject
            and signal.kind = match.kind
            and signal.detail = match.detail
            and signal.channel = match.channel
            and signal.page = match.page

),

-- An attribute that several records tell counts once, from when the first of them did.
told as (

    select
        matched.*,
        row_number() over (
            partition by version, person_key, score_rule order by known_at, subject_key, kind, channel, detail
        ) as place
    from matched
    where subject = 'attribute'

)

select
    version as policy_version,
    person_key,
    score_rule,
    'behaviour' as part,
    subject,
    subject_key,
    occurred_at,
    known_at,
    points,
    half_life_days,
    maximum_points
from matched
where subject <> 'attribute'
union all
select
    version as policy_version,
    person_key,
    score_rule,
    'demographic' as part,
    subject,
    subject_key,
    occurred_at,
    known_at,
    points,
    half_life_days,
    maximum_points
from told
where place = 1
