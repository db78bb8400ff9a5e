-- Spend in several currencies is told in the base currency. Decimals, whose sum is the same in any order.
with spend as (

    select
        campaign_key,
        min(spend_date) as first_spend_date,
        max(spend_date) as last_spend_date,
        min(currency_code) = max(currency_code) as is_one_currency,
        min(currency_code) as currency_code,
        sum(amount) as amount,
        sum(cast(amount_base as numeric(28, 6))) as amount_base,
        count(case when amount is not null and amount_base is null then 1 end) as unconverted_rows
    from {{ ref('int_engagement__spend') }}
    where campaign_key is not null
    group by campaign_key

)

select
    campaign.campaign_key,
    campaign.source_system,
    campaign.source_id,
    campaign.campaign_name,
    campaign.campaign_type,
    campaign.campaign_status,
    parent.campaign_key as parent_campaign_key,
    coalesce(campaign.start_date, spend.first_spend_date) as start_date,
    coalesce(campaign.end_date, spend.last_spend_date) as end_date,
    campaign.budgeted_cost,
    campaign.actual_cost,
    campaign.currency_code,
    cast(case when spend.is_one_currency then spend.amount else spend.amount_base end as numeric(18, 2)) as ad_spend,
    case
        when spend.is_one_currency then spend.currency_code
        when not spend.is_one_currency then '{{ var("base_currency", "EUR") }}'
    end as ad_spend_currency_code,
    cast(spend.amount_base as numeric(18, 2)) as ad_spend_base,
    cast(spend.unconverted_rows as bigint) as unconverted_spend_rows
from {{ ref('int_input__campaign') }} as campaign
left join {{ ref('int_input__campaign') }} as parent
    on campaign.source_system = parent.source_system and campaign.parent_source_id = parent.source_id
left join spend on campaign.campaign_key = spend.campaign_key
