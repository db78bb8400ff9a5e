-- The rules of lead_score_explanation sum to each person's score, now and at the handoff of the last journey, to the digit.
select
    score.person_key,
    score.score,
    score.handoff_score,
    sum(case when explanation.moment = 'now' then explanation.points else 0 end) as explained,
    sum(case when explanation.moment = 'handoff' then explanation.points else 0 end) as handoff_explained
from {{ ref('lead_score') }} as score
left join {{ ref('lead_score_explanation') }} as explanation
    on
        score.person_key = explanation.person_key
        and coalesce(explanation.journey_key, score.journey_key, 0) = coalesce(score.journey_key, 0)
where score.policy_version is not null
group by score.person_key, score.score, score.handoff_score
having
    score.score <> sum(case when explanation.moment = 'now' then explanation.points else 0 end)
    or score.handoff_score <> sum(case when explanation.moment = 'handoff' then explanation.points else 0 end)
