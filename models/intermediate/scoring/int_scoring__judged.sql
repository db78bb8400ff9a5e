{#- A view: scores are judged when they are asked for, since `leadlag score` runs after the build. -#}
{{ config(materialized='view') }}

with predicted as (

    select * from {{ ref('int_input__lead_score') }}
    where usage = 'judged'

),

definition as (

    select conversion_definition from {{ ref('lead_score_threshold') }}
    union
    select conversion_definition from predicted

),

compared as (

    select distinct
        conversion_definition,
        journey_key
    from predicted

),

scored as (

    select
        'rule' as score,
        outcome.rule_score as value,
        outcome.*
    from {{ ref('int_scoring__outcome') }} as outcome
    inner join definition on outcome.conversion_definition = definition.conversion_definition
    union all
    select
        predicted.score,
        100 * predicted.probability as value,
        outcome.*
    from predicted
    inner join {{ ref('int_scoring__outcome') }} as outcome
        on predicted.journey_key = outcome.journey_key and predicted.conversion_definition = outcome.conversion_definition

)

select
    scored.score,
    scored.conversion_definition,
    scored.journey_key,
    scored.entered_date,
    scored.quarter_start,
    scored.value,
    scored.is_converted,
    scored.is_won,
    scored.is_open,
    scored.gross_margin,
    compared.journey_key is not null or not exists (select 1 from predicted) as is_compared
from scored
left join compared
    on scored.journey_key = compared.journey_key and scored.conversion_definition = compared.conversion_definition
