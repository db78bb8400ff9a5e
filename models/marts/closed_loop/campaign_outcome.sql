{%- set stages = ['mql', 'sql', 'opportunity', 'won'] -%}

with campaign as (

    select
        campaign_key,
        source_system,
        source_id,
        campaign_name,
        campaign_type,
        start_date,
        end_date,
        true as is_known,
        actual_cost,
        currency_code as cost_currency_code,
        {{ leadlag.campaign_slug('campaign_name') }} as plain_name
    from {{ ref('dim_campaign') }}
    union all
    select
        spend_campaign_key as campaign_key,
        source_system,
        source_id,
        campaign_name,
        cast(null as {{ dbt.type_string() }}) as campaign_type,
        first_spend_date as start_date,
        last_spend_date as end_date,
        false as is_known,
        cast(null as numeric(18, 2)) as actual_cost,
        cast(null as {{ dbt.type_string() }}) as cost_currency_code,
        cast(null as {{ dbt.type_string() }}) as plain_name
    from {{ ref('int_closed_loop__campaign_spend') }}
    where campaign_key is null

),

touched as (

    select
        campaign_key,
        sum(touches) as touches,
        count(distinct person_key) as persons
    from {{ ref('int_closed_loop__campaign_touch') }}
    group by campaign_key

),

outcome as (

    select
        campaign_key,
        {%- for basis, condition in {'any': 'true', 'first': 'is_first'}.items() %}
        count(case when {{ condition }} then 1 end) as {{ basis }}_journeys,
        {%- for stage in stages %}
        count(case when {{ condition }} and has_{{ stage }} then 1 end) as {{ basis }}_{{ stage }},
        {%- endfor %}
        cast(sum(case when {{ condition }} then won_amount end) as numeric(18, 2)) as {{ basis }}_won_amount,
        {%- endfor %}
        {%- for stage in stages %}
        {{ leadlag.double('percentile_cont(0.5) within group (order by days_to_' ~ stage ~ ')') }} as median_days_to_{{ stage }},
        {%- endfor %}
        count(case when is_open then 1 end) as open_journeys,
        count(case when has_won and won_amount is null then 1 end) as won_without_amount
    from {{ ref('int_closed_loop__campaign_journey') }}
    group by campaign_key

)

select
    campaign.campaign_key,
    campaign.source_system,
    campaign.source_id,
    campaign.campaign_name,
    campaign.campaign_type,
    campaign.start_date,
    campaign.end_date,
    campaign.is_known,
    cast(coalesce(touched.touches, 0) as bigint) as touches,
    cast(coalesce(touched.persons, 0) as bigint) as persons,
    {%- for basis in ['any', 'first'] %}
    cast(coalesce(outcome.{{ basis }}_journeys, 0) as bigint) as {{ basis }}_journeys,
    {%- for stage in stages %}
    cast(coalesce(outcome.{{ basis }}_{{ stage }}, 0) as bigint) as {{ basis }}_{{ stage }},
    {%- endfor %}
    outcome.{{ basis }}_won_amount,
    {%- endfor %}
    cast(coalesce(outcome.open_journeys, 0) as bigint) as open_journeys,
    cast(coalesce(outcome.won_without_amount, 0) as bigint) as won_without_amount,
    {%- for stage in stages %}
    outcome.median_days_to_{{ stage }},
    {%- endfor %}
    {{ leadlag.share('outcome.any_opportunity', 'outcome.any_journeys') }} as opportunity_rate,
    {{ leadlag.wilson_low('outcome.any_opportunity', 'outcome.any_journeys') }} as opportunity_rate_low,
    {{ leadlag.wilson_high('outcome.any_opportunity', 'outcome.any_journeys') }} as opportunity_rate_high,
    coalesce(outcome.any_journeys, 0) >= {{ var('campaign_minimum_journeys', 30) }} as is_reliable,
    campaign.actual_cost,
    campaign.cost_currency_code,
    coalesce(own.ad_spend_base, by_name.ad_spend_base) as ad_spend_base,
    case when own.ad_spend_base is not null then 'own' when by_name.ad_spend_base is not null then 'name' end as spend_link,
    cast(coalesce(own.days_without_rate, 0) as bigint) as spend_days_without_rate,
    {{ leadlag.share('own.ad_spend_base', 'outcome.first_opportunity') }} as spend_per_first_opportunity
from campaign
left join touched on campaign.campaign_key = touched.campaign_key
left join outcome on campaign.campaign_key = outcome.campaign_key
left join {{ ref('int_closed_loop__campaign_spend') }} as own
    on campaign.campaign_key = coalesce(own.campaign_key, own.spend_campaign_key)
-- A CRM's campaign that shares its name with the ad campaign that paid for it; the spend is counted once, where spend_link is own.
left join {{ ref('int_closed_loop__campaign_name') }} as named on campaign.plain_name = named.plain_name
left join {{ ref('int_closed_loop__campaign_spend') }} as by_name
    on named.campaign_key = by_name.campaign_key and campaign.campaign_key <> by_name.campaign_key
