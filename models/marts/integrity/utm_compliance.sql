{%- set parameters = ['utm_source', 'utm_medium', 'utm_campaign'] -%}

with link as (

    select
        *,
        sum(touchpoint_count) over () as all_touchpoints,
        {{ leadlag.double('touchpoint_count') }} / sum(touchpoint_count) over (partition by utm_campaign) as campaign_share
    from {{ ref('int_engagement__utm_link') }}

),

-- Decimals, whose sum is the same in any order.
spent as (

    select
        {{ leadlag.campaign_slug('campaign_name') }} as utm_campaign,
        {{ leadlag.double('sum(cast(amount_base as numeric(28, 6)))') }} as spend_base
    from {{ ref('int_engagement__spend') }}
    where campaign_name is not null
    group by {{ leadlag.campaign_slug('campaign_name') }}

),

total as (

    select {{ leadlag.double('sum(cast(amount_base as numeric(28, 6)))') }} as spend_base
    from {{ ref('int_engagement__spend') }}

),

broken as (

    select
        link_key,
        'link' as parameter,
        0 as rule_order,
        utm_fault as utm_rule,
        cast(null as {{ dbt.type_string() }}) as written_value,
        cast(null as {{ dbt.type_string() }}) as corrected_value
    from link
    where utm_fault is not null
    {%- for parameter in parameters %}
    union all
    select
        link_key,
        '{{ parameter }}' as parameter,
        {{ loop.index }} as rule_order,
        case
            when {{ parameter }}_raw is null then 'missing'
            when not is_{{ parameter }}_allowed then 'not_allowed'
            when has_{{ parameter }}_alias then 'alias'
            else 'spelling'
        end as utm_rule,
        {{ parameter }}_raw as written_value,
        case when is_{{ parameter }}_allowed then {{ parameter }} end as corrected_value
    from link
    where case when {{ parameter }}_raw is null then utm_fault is null else not is_{{ parameter }}_standard end
    {%- endfor %}

)

select
    {{ leadlag.key(['broken.link_key', 'broken.parameter']) }} as utm_compliance_key,
    broken.link_key,
    link.utm_source_raw,
    link.utm_medium_raw,
    link.utm_campaign_raw,
    cast(row_number() over (partition by broken.link_key order by broken.rule_order) as integer) as breach_number,
    broken.parameter,
    broken.utm_rule,
    broken.written_value,
    broken.corrected_value,
    link.owner,
    link.first_touch_at,
    link.last_touch_at,
    link.touchpoint_count,
    {{ leadlag.double('link.touchpoint_count') }} / link.all_touchpoints as touchpoint_share,
    spent.spend_base * link.campaign_share as spend_base,
    spent.spend_base * link.campaign_share / nullif(total.spend_base, 0) as spend_share
from broken
inner join link on broken.link_key = link.link_key
cross join total
left join spent on link.utm_campaign = spent.utm_campaign
