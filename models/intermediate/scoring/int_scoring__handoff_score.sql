with explained as (

    select
        journey_key,
        sum(case when part = 'behaviour' then points else 0 end) as behaviour_score,
        sum(case when part = 'demographic' then points else 0 end) as demographic_score,
        sum(points) as score
    from {{ ref('lead_score_explanation') }}
    where moment = 'handoff'
    group by journey_key

)

select
    handoff.journey_key,
    handoff.person_key,
    handoff.journey_number,
    handoff.handoff_at,
    handoff.policy_version,
    cast(coalesce(explained.behaviour_score, 0) as numeric(18, 6)) as behaviour_score,
    cast(coalesce(explained.demographic_score, 0) as numeric(18, 6)) as demographic_score,
    cast(coalesce(explained.score, 0) as numeric(18, 6)) as score
from {{ ref('int_scoring__handoff') }} as handoff
left join explained on handoff.journey_key = explained.journey_key
