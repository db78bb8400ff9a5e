with spend as (

    select
        source_system,
        campaign_source_id,
        min(spend_date) as first_spend_date,
        max(spend_date) as last_spend_date,
        cast(sum(amount) as numeric(18, 2)) as ad_spend,
        count(distinct currency_code) as currency_count,
        min(currency_code) as currency_code
    from {{ ref('int_input__spend') }}
    group by source_system, campaign_source_id

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
    case when spend.currency_count = 1 then spend.ad_spend end as ad_spend,
    case when spend.currency_count = 1 then spend.currency_code end as ad_spend_currency_code
from {{ ref('int_input__campaign') }} as campaign
left join {{ ref('int_input__campaign') }} as parent
    on campaign.source_system = parent.source_system and campaign.parent_source_id = parent.source_id
left join spend
    on campaign.source_system = spend.source_system and campaign.source_id = spend.campaign_source_id
