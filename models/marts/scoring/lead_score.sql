with moment as (

    select
        clock.as_of,
        policy.version
    from {{ ref('int_input__clock') }} as clock
    left join {{ ref('int_scoring__policy_version') }} as policy
        on clock.as_of >= policy.valid_from_at and (clock.as_of < policy.valid_to_at or policy.valid_to_at is null)

),

explained as (

    select
        person_key,
        sum(case when part = 'behaviour' then points else 0 end) as behaviour_score,
        sum(case when part = 'demographic' then points else 0 end) as demographic_score,
        sum(points) as score
    from {{ ref('lead_score_explanation') }}
    where moment = 'now'
    group by person_key

),

last_handoff as (

    select
        handoff.*,
        row_number() over (partition by person_key order by journey_number desc) as place
    from {{ ref('int_scoring__handoff_score') }} as handoff

)

-- Without a version in force there is no score; without a fact that earns points it is 0.
select
    person.person_key,
    moment.as_of as scored_at,
    moment.version as policy_version,
    {%- for column in ['behaviour_score', 'demographic_score', 'score'] %}
    cast(case when moment.version is not null then coalesce(explained.{{ column }}, 0) end as numeric(18, 6)) as {{ column }},
    {%- endfor %}
    last_handoff.journey_key,
    last_handoff.handoff_at,
    last_handoff.policy_version as handoff_policy_version,
    last_handoff.score as handoff_score
from {{ ref('dim_person') }} as person
cross join moment
left join explained on person.person_key = explained.person_key
left join last_handoff on person.person_key = last_handoff.person_key and last_handoff.place = 1
