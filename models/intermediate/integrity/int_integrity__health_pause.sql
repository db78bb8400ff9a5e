with delivered as (

    select
        setting.entity,
        setting.source_system,
        setting.source_table,
        setting.health_rule,
        setting.last_day,
        setting.period_days,
        setting.history_periods,
        volume.date_day,
        volume.row_count,
        {{ leadlag.days_between(
            'lag(volume.date_day) over (partition by setting.entity, setting.source_system, setting.source_table order by volume.date_day)',
            'volume.date_day'
        ) }} as pause_days
    from {{ ref('int_integrity__health_setting') }} as setting
    inner join {{ ref('source_volume_day') }} as volume
        on
            setting.entity = volume.entity
            and setting.source_system = volume.source_system
            and setting.source_table = volume.source_table
    where
        setting.health_rule = 'stalled_sync'
        and volume.row_count > 0
        and {{ leadlag.days_between('volume.date_day', 'setting.last_day') }} < setting.period_days * setting.history_periods

),

usual as (

    select
        entity,
        source_system,
        source_table,
        health_rule,
        last_day,
        max(date_day) as newest_day,
        count(pause_days) as pause_count,
        sum(row_count) as history_rows,
        percentile_cont(0.95) within group (order by pause_days) as usual_pause_days
    from delivered
    group by entity, source_system, source_table, health_rule, last_day

)

select
    usual.entity,
    usual.source_system,
    usual.source_table,
    usual.health_rule,
    -- Of the present day only what has come counts: it may still bring rows.
    {{ leadlag.double('greatest(' ~ leadlag.days_between('usual.newest_day', 'usual.last_day') ~ ', 0)') }} as observed,
    case when usual.pause_count >= setting.minimum_periods then usual.usual_pause_days end as expected,
    {%- for level in ['warn', 'fail'] %}
    case
        when usual.pause_count >= setting.minimum_periods and setting.{{ level }}_above is not null
            then greatest(setting.minimum_change, setting.{{ level }}_above * usual.usual_pause_days)
    end as {{ level }}_limit,
    {%- endfor %}
    usual.newest_day as observed_from,
    usual.last_day as observed_until,
    cast(0 as bigint) as recent_rows,
    usual.history_rows
from usual
inner join {{ ref('int_integrity__health_setting') }} as setting
    on
        usual.entity = setting.entity
        and usual.source_system = setting.source_system
        and usual.source_table = setting.source_table
        and usual.health_rule = setting.health_rule
