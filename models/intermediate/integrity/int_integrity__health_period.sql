{%- set parts = {
    'missing_touchpoint': 'without_touchpoint_count',
    'without_owner': 'without_owner_count',
    'without_lead_source': 'without_lead_source_count',
    'without_utm': 'without_utm_count',
    'quarantined': 'quarantined_count',
} -%}
with numbered as (

    select
        setting.entity,
        setting.source_system,
        setting.source_table,
        setting.health_rule,
        setting.period_days,
        setting.history_periods,
        volume.date_day,
        -- Periods end with the last complete day, so that a week is the same weekdays in each.
        floor(
            {{ leadlag.days_between('volume.date_day', 'setting.last_day') }} / {{ leadlag.double('setting.period_days') }}
        ) as period_number,
        case
            {%- for rule, column in parts.items() %}
            when setting.health_rule = '{{ rule }}' then volume.{{ column }}
            {%- endfor %}
            else volume.row_count
        end as part_count,
        case when setting.health_rule = 'without_utm' then volume.web_touch_count else volume.row_count end as whole_count
    from {{ ref('int_integrity__health_setting') }} as setting
    inner join {{ ref('source_volume_day') }} as volume
        on
            setting.entity = volume.entity
            and setting.source_system = volume.source_system
            and setting.source_table = volume.source_table
            and setting.last_day >= volume.date_day
    where setting.health_rule in ('low_volume_day', 'low_volume_week', 'high_volume_week', '{{ parts.keys() | join("', '") }}')

)

select
    entity,
    source_system,
    source_table,
    health_rule,
    cast(period_number as integer) as period_number,
    min(date_day) as first_day,
    max(date_day) as last_day,
    count(*) as day_count,
    sum(part_count) as part_count,
    sum(case when part_count is not null then whole_count end) as whole_count
from numbered
where period_number <= history_periods
group by entity, source_system, source_table, health_rule, cast(period_number as integer)
