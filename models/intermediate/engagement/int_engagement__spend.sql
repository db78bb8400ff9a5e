{{ config(materialized='view') }}

with stated as (

    select
        *,
        upper(coalesce(currency_code, '{{ var("base_currency", "EUR") }}')) as stated_currency_code
    from {{ ref('int_input__spend') }}

)

select
    spend.spend_key,
    spend.source_system,
    spend.campaign_source_id,
    spend.campaign_name,
    spend.spend_date,
    spend.platform,
    coalesce(ad_platform.channel, 'unmapped') as channel,
    campaign.campaign_key,
    spend.amount,
    spend.stated_currency_code as currency_code,
    {{ leadlag.double('spend.amount * rate.rate_to_base') }} as amount_base
from stated as spend
left join {{ ref('int_engagement__currency_rate') }} as rate
    on
        spend.stated_currency_code = rate.currency_code
        and spend.spend_date >= rate.valid_from
        and spend.spend_date < rate.valid_to
left join {{ ref('ad_platform') }} as ad_platform on spend.platform = ad_platform.platform
left join {{ ref('int_input__campaign') }} as campaign
    on spend.source_system = campaign.source_system and spend.campaign_source_id = campaign.source_id
