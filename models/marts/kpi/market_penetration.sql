with customer as (

    select
        account.account_key,
        account.industry,
        won.region,
        won.won_date
    from {{ ref('int_kpi__opportunity') }} as won
    inner join {{ ref('fct_opportunity') }} as opportunity on won.opportunity_key = opportunity.opportunity_key
    inner join {{ ref('dim_account') }} as account on opportunity.account_key = account.account_key
    where won.is_first_of_account

),

market as (

    select
        target_market.*,
        lead(valid_from) over (partition by target_market order by valid_from) as valid_to
    from {{ ref('target_market') }} as target_market

),

counted as (

    select
        market.target_market,
        market.market_name,
        market.region,
        market.industry,
        market.addressable_accounts,
        market.owner,
        period.period_start,
        period.next_period_start,
        count(customer.account_key) as customer_accounts,
        count(case when customer.won_date >= period.period_start then 1 end) as new_accounts
    from market
    inner join {{ ref('int_kpi__period') }} as period
        on
            period.period_grain = 'quarter'
            and market.valid_from <= period.period_start
            and (market.valid_to > period.period_start or market.valid_to is null)
    left join customer
        on
            market.region in ('*', customer.region)
            and market.industry in ('*', customer.industry)
            and period.next_period_start > customer.won_date
    group by
        market.target_market,
        market.market_name,
        market.region,
        market.industry,
        market.addressable_accounts,
        market.owner,
        period.period_start,
        period.next_period_start

)

select
    counted.target_market,
    counted.market_name,
    counted.region,
    counted.industry,
    counted.owner,
    counted.period_start as quarter_start,
    counted.addressable_accounts,
    counted.customer_accounts,
    counted.new_accounts,
    {{ leadlag.share('counted.customer_accounts', 'counted.addressable_accounts') }} as penetration,
    counted.next_period_start <= clock.as_of_date as is_mature
from counted
cross join {{ ref('int_input__clock') }} as clock
where counted.next_period_start > (select min(first_win.won_date) from customer as first_win)
