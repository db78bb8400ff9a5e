{{ config(materialized='view') }}

-- As a conversion definition sees a skipped MQL: a later stage implies it.
with journey as (

    select
        journey_key,
        person_key,
        journey_number,
        coalesce(mql_at, sal_at, sql_at, opportunity_at, won_at) as handoff_at
    from {{ ref('fct_journey') }}

)

select
    journey.journey_key,
    journey.person_key,
    journey.journey_number,
    journey.handoff_at,
    policy.version as policy_version
from journey
inner join {{ ref('int_scoring__policy_version') }} as policy
    on journey.handoff_at >= policy.valid_from_at and (journey.handoff_at < policy.valid_to_at or policy.valid_to_at is null)
