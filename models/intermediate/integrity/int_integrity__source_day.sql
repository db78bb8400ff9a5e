{%- set entities = [
    'lead_record', 'status_event', 'opportunity', 'opportunity_stage_event', 'touchpoint', 'activity',
    'campaign', 'spend', 'rep', 'identity_link', 'product_event', 'account',
] -%}
{%- set owned = ['lead_record', 'opportunity', 'account'] -%}
{%- set sourced = ['lead_record', 'opportunity'] -%}

{% for entity in entities %}
select
    '{{ entity }}' as entity,
    coalesce(source_system, '') as source_system,
    coalesce(source_table, '') as source_table,
    {{ leadlag.business_date('known_at') }} as date_day,
    count(*) as row_count,
    count(quarantine_rule) as quarantined_count,
    {{ 'count(*) - count(owner_source_id)' if entity in owned else 'cast(null as bigint)' }} as without_owner_count,
    {{ 'count(*) - count(lead_source)' if entity in sourced else 'cast(null as bigint)' }} as without_lead_source_count,
    {%- if entity == 'touchpoint' %}
    count(case when touchpoint_type = 'web' then 1 end) as web_touch_count,
    count(case when touchpoint_type = 'web' and coalesce(utm_source, utm_medium, utm_campaign) is null then 1 end) as without_utm_count,
    {%- else %}
    cast(null as bigint) as web_touch_count,
    cast(null as bigint) as without_utm_count,
    {%- endif %}
    cast(null as bigint) as without_touchpoint_count
from {{ ref('int_input__' ~ entity ~ '_checked') }}
where known_at is not null
group by coalesce(source_system, ''), coalesce(source_table, ''), {{ leadlag.business_date('known_at') }}
union all
{% endfor %}
select
    'journey' as entity,
    coalesce(entry_source_system, '') as source_system,
    'fct_journey' as source_table,
    entered_date as date_day,
    count(*) as row_count,
    cast(null as bigint) as quarantined_count,
    cast(null as bigint) as without_owner_count,
    cast(null as bigint) as without_lead_source_count,
    cast(null as bigint) as web_touch_count,
    cast(null as bigint) as without_utm_count,
    count(case when coalesce(touchpoint_count, 0) = 0 then 1 end) as without_touchpoint_count
from {{ ref('fct_journey') }}
group by coalesce(entry_source_system, ''), entered_date
