{#- A view: the scheduled run scores after it has built. -#}
{{ config(materialized='view') }}

select
    predicted.as_of,
    predicted.model_version,
    predicted.score,
    predicted.conversion_definition,
    predicted.journey_key,
    handoff.person_key,
    predicted.predicted_at,
    predicted.probability,
    handoff.score as rule_score,
    predicted.reason
from {{ ref('int_input__lead_score') }} as predicted
left join {{ ref('int_scoring__handoff_score') }} as handoff on predicted.journey_key = handoff.journey_key
where predicted.usage = 'open'
