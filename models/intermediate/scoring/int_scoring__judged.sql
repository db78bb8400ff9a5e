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

margin as (

    select
        journey_key,
        sum(gross_margin) as gross_margin
    from {{ ref('int_kpi__opportunity') }}
    where won_date is not null and journey_key is not null
    group by journey_key

),

-- What had converted by the handoff, there was nothing left to foresee.
outcome as (

    select
        conversion.journey_key,
        conversion.conversion_definition,
        conversion.entered_date,
        cast({{ dbt.date_trunc('quarter', 'conversion.entered_date') }} as date) as quarter_start,
        conversion.in_numerator as is_converted,
        conversion.outcome = 'won' as is_won,
        conversion.ended_at is null as is_open,
        coalesce(case when conversion.outcome = 'won' then margin.gross_margin end, 0) as gross_margin,
        {{ leadlag.double('handoff.score') }} as rule_score
    from {{ ref('fct_conversion') }} as conversion
    inner join definition on conversion.conversion_definition = definition.conversion_definition
    inner join {{ ref('int_scoring__handoff_score') }} as handoff
        on conversion.journey_key = handoff.journey_key and conversion.entered_at = handoff.handoff_at
    left join margin on conversion.journey_key = margin.journey_key
    where conversion.in_denominator and coalesce(conversion.converted_at > conversion.entered_at, true)

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
        outcome.journey_key,
        outcome.conversion_definition,
        outcome.rule_score as value
    from outcome
    union all
    select
        score,
        journey_key,
        conversion_definition,
        100 * probability as value
    from predicted

)

select
    scored.score,
    outcome.conversion_definition,
    outcome.journey_key,
    outcome.entered_date,
    outcome.quarter_start,
    scored.value,
    outcome.is_converted,
    outcome.is_won,
    outcome.is_open,
    outcome.gross_margin,
    compared.journey_key is not null or not exists (select 1 from predicted) as is_compared
from scored
inner join outcome
    on scored.journey_key = outcome.journey_key and scored.conversion_definition = outcome.conversion_definition
left join compared
    on outcome.journey_key = compared.journey_key and outcome.conversion_definition = compared.conversion_definition
