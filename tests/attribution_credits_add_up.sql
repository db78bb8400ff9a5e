-- Every model gives each conversion of fct_journey away once, and its money with it.
with credited as (

    select
        attribution_model,
        version,
        milestone,
        journey_key,
        sum(credit) as credit,
        sum(amount_base) as amount_base
    from {{ ref('fct_attribution_credit') }}
    group by attribution_model, version, milestone, journey_key

)

select
    model.attribution_model,
    model.version,
    model.milestone,
    outcome.journey_key,
    outcome.amount_base,
    credited.credit,
    credited.amount_base as credited_amount_base
from {{ ref('int_attribution__model') }} as model
inner join {{ ref('int_attribution__outcome') }} as outcome on model.milestone = outcome.milestone and outcome.is_converted
full outer join credited
    on
        model.attribution_model = credited.attribution_model
        and model.version = credited.version
        and model.milestone = credited.milestone
        and outcome.journey_key = credited.journey_key
where
    credited.credit is null
    or outcome.journey_key is null
    or abs(credited.credit - 1) > 1e-9
    or abs(coalesce(credited.amount_base, 0) - coalesce(outcome.amount_base, 0)) > 1e-9 * abs(coalesce(outcome.amount_base, 0)) + 1e-6
