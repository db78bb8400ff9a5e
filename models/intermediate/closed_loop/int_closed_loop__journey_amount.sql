{{ config(materialized='view') }}

-- Null as soon as one amount is not known in base currency: a part would look like the whole.
select
    journey_key,
    case when count(*) = count(amount_base) then sum(amount_base) end as opportunity_amount,
    case when count(case when is_won then 1 end) = count(case when is_won then amount_base end)
        then sum(case when is_won then amount_base end) end as won_amount
from {{ ref('fct_opportunity') }}
where is_counted and journey_key is not null and qualified_at is not null
group by journey_key
