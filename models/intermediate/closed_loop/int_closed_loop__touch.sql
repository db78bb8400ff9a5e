{{ config(materialized='ephemeral') }}

with named as (

    select
        *,
        case
            when campaign_key is null then {{ leadlag.campaign_slug('coalesce(utm_campaign, campaign_name)') }}
        end as plain_name
    from {{ ref('fct_touchpoint') }}
    where traffic = 'person'

)

select
    coalesce(named.campaign_key, campaign.campaign_key) as campaign_key,
    named.person_key,
    named.journey_key,
    named.touchpoint_key,
    named.occurred_at
from named
left join {{ ref('int_closed_loop__campaign_name') }} as campaign on named.plain_name = campaign.plain_name
where coalesce(named.campaign_key, campaign.campaign_key) is not null
