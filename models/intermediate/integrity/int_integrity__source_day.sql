{%- set entities = [
    'lead_record', 'status_event', 'opportunity', 'opportunity_stage_event', 'touchpoint', 'activity',
    'campaign', 'spend', 'rep', 'identity_link', 'product_event', 'account',
] -%}
{%- set owned = ['lead_record', 'opportunity', 'account'] -%}
{%- set sourced = ['lead_record', 'opportunity'] -%}

{%- set counts = [
    'row_count', 'quarantined_count', 'without_owner_count', 'without_lead_source_count', 'web_touch_count', 'without_utm_count',
] -%}

-- By quarter of an hour, which lies in one day of every time zone: far fewer times to convert than rows.
with counted as (
{% for entity in entities %}
    select
        '{{ entity }}' as entity,
        coalesce(source_system, '') as source_system,
        coalesce(source_table, '') as source_table,
        min(known_at) as known_at,
        count(*) as row_count,
        count(quarantine_rule) as quarantined_count,
        {{ 'count(*) - count(owner_source_id)' if entity in owned else 'cast(null as bigint)' }} as without_owner_count,
        {{ 'count(*) - count(lead_source)' if entity in sourced else 'cast(null as bigint)' }} as without_lead_source_count,
        {%- if entity == 'touchpoint' %}
        count(case when touchpoint_type = 'web' then 1 end) as web_touch_count,
        count(case when touchpoint_type = 'web' and coalesce(utm_source, utm_medium, utm_campaign) is null then 1 end) as without_utm_count
        {%- else %}
        cast(null as bigint) as web_touch_count,
        cast(null as bigint) as without_utm_count
        {%- endif %}
    from {{ ref('int_input__' ~ entity ~ '_checked') }}
    where known_at is not null
    group by
        coalesce(source_system, ''),
        coalesce(source_table, ''),
        {{ dbt.date_trunc('hour', 'known_at') }},
        floor(extract(minute from known_at) / 15)
    {{ 'union all' if not loop.last }}
{%- endfor %}

)

select
    entity,
    source_system,
    source_table,
    {{ leadlag.business_date('known_at') }} as date_day,
    {%- for count in counts %}
    cast(sum({{ count }}) as bigint) as {{ count }},
    {%- endfor %}
    cast(null as bigint) as without_touchpoint_count
from counted
group by entity, source_system, source_table, {{ leadlag.business_date('known_at') }}
union all
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
