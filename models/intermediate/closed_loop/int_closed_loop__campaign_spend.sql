-- Advertising spend of each campaign in base currency, also of one that no campaign table knows, and of no campaign at all.
select
    source_system,
    coalesce(campaign_source_id, '(no campaign)') as source_id,
    {{ leadlag.key(['source_system', "coalesce(campaign_source_id, '(no campaign)')"]) }} as spend_campaign_key,
    campaign_key,
    max(campaign_name) as campaign_name,
    min(spend_date) as first_spend_date,
    max(spend_date) as last_spend_date,
    cast(sum(amount_base) as numeric(18, 2)) as ad_spend_base,
    count(case when amount is not null and amount_base is null then 1 end) as days_without_rate
from {{ ref('int_engagement__spend') }}
group by source_system, coalesce(campaign_source_id, '(no campaign)'), campaign_key
