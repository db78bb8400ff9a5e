-- What was spent and what came of it, by the model and milestone that elasticity is estimated on.
with spent as (

    select
        channel,
        cast({{ dbt.date_trunc('month', 'spend_date') }} as date) as month_start,
        sum(amount_base) as spend_base
    from {{ ref('int_engagement__spend') }}
    group by 1, 2

),

credited as (

    select
        credit.channel,
        cast({{ dbt.date_trunc('month', 'credit.converted_date') }} as date) as month_start,
        sum(credit.credit) as credit
    from {{ ref('fct_attribution_credit') }} as credit
    inner join {{ ref('channel_budget_rule') }} as rule
        on credit.attribution_model = rule.attribution_model and credit.milestone = rule.elasticity_milestone
    group by 1, 2

)

-- The month of the clock is not over.
select
    spent.channel,
    spent.month_start,
    spent.spend_base,
    credited.credit,
    ln(spent.spend_base) - lag(ln(spent.spend_base)) over by_month as spend_change,
    ln(credited.credit) - lag(ln(credited.credit)) over by_month as credit_change
from spent
inner join credited on spent.channel = credited.channel and spent.month_start = credited.month_start
cross join {{ ref('int_input__clock') }} as clock
where
    spent.spend_base > 0
    and credited.credit > 0
    and cast({{ dbt.dateadd('month', 1, 'spent.month_start') }} as date) <= clock.as_of_date
window by_month as (partition by spent.channel order by spent.month_start)
