with credit as (

    select * from {{ ref('int_attribution__position_credit') }}
    union all
    select * from {{ ref('int_attribution__weight_credit') }}

),

-- A conversion that a model cannot credit to any touch has one row without a touch.
claimed as (

    select
        model.model_key,
        model.attribution_model,
        model.version,
        outcome.journey_key,
        outcome.milestone,
        outcome.person_key,
        outcome.concluded_at,
        outcome.concluded_date,
        outcome.amount,
        outcome.currency_code,
        outcome.amount_base,
        credit.touchpoint_key,
        coalesce(credit.credit, {{ leadlag.double(1) }}) as credit
    from {{ ref('int_attribution__outcome') }} as outcome
    inner join {{ ref('int_attribution__model') }} as model on outcome.milestone = model.milestone
    left join credit
        on model.model_key = credit.model_key and outcome.journey_key = credit.journey_key
    where outcome.is_converted

)

select
    -- A touch belongs to one journey; both keys are digests already.
    {{ leadlag.combined_key('claimed.model_key', 'coalesce(claimed.touchpoint_key, claimed.journey_key)') }} as attribution_credit_key,
    claimed.attribution_model,
    claimed.version,
    claimed.milestone,
    claimed.journey_key,
    claimed.person_key,
    claimed.concluded_at as converted_at,
    claimed.concluded_date as converted_date,
    claimed.touchpoint_key,
    touch.occurred_at as touched_at,
    coalesce(touch.channel, 'unattributed') as channel,
    coalesce(touch.is_paid, false) as is_paid,
    touch.campaign_key,
    claimed.credit,
    claimed.credit * claimed.amount as amount,
    claimed.currency_code,
    claimed.credit * claimed.amount_base as amount_base
from claimed
left join {{ ref('int_attribution__touch') }} as touch on claimed.touchpoint_key = touch.touchpoint_key
