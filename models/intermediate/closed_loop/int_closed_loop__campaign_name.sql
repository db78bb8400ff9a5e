{{ config(materialized='view') }}

-- Of several campaigns of one name those with advertising spend come first; where that still leaves several, the name is nobody's.
with campaign as (

    select
        campaign.campaign_key,
        spend.campaign_key is not null as has_spend,
        {{ leadlag.campaign_slug('campaign.campaign_name') }} as plain_name
    from {{ ref('dim_campaign') }} as campaign
    left join {{ ref('int_closed_loop__campaign_spend') }} as spend on campaign.campaign_key = spend.campaign_key
    where trim(campaign.campaign_name) <> ''

)

select
    plain_name,
    case
        when count(case when has_spend then 1 end) = 1 then max(case when has_spend then campaign_key end)
        when count(case when has_spend then 1 end) = 0 and count(*) = 1 then max(campaign_key)
    end as campaign_key,
    count(*) as campaign_count
from campaign
group by plain_name
