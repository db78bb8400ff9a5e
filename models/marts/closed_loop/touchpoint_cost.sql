{#- A view: platforms correct what a day has cost for weeks, and no touch changes by that. -#}
{{ config(materialized='view') }}

with touch as (

    select
        touchpoint_key,
        person_key,
        journey_key,
        campaign_key,
        {{ leadlag.business_date('occurred_at') }} as touched_date
    from {{ ref('int_closed_loop__touch') }}

),

sharing as (

    select
        campaign_key,
        touched_date,
        count(*) as touches
    from touch
    group by campaign_key, touched_date

),

-- Spend of a day in several currencies is told in the base currency.
spend as (

    select
        campaign_key,
        spend_date,
        case
            when min(currency_code) = max(currency_code) then sum(amount)
            when count(amount_base) = count(amount) then sum(amount_base)
        end as amount,
        case
            when min(currency_code) = max(currency_code) then min(currency_code) else '{{ var("base_currency", "EUR") }}'
        end as currency_code,
        case when count(amount_base) = count(amount) then sum(amount_base) end as amount_base
    from {{ ref('int_engagement__spend') }}
    where campaign_key is not null and amount is not null
    group by campaign_key, spend_date

)

select
    touch.touchpoint_key,
    touch.person_key,
    touch.journey_key,
    touch.campaign_key,
    touch.touched_date,
    cast(sharing.touches as bigint) as touches_of_day,
    {{ leadlag.double('spend.amount') }} / sharing.touches as cost,
    spend.currency_code,
    {{ leadlag.double('spend.amount_base') }} / sharing.touches as cost_base
from touch
inner join sharing on touch.campaign_key = sharing.campaign_key and touch.touched_date = sharing.touched_date
inner join spend on touch.campaign_key = spend.campaign_key and touch.touched_date = spend.spend_date
