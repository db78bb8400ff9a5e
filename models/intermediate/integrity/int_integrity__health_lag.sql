{%- set entities = [
    'lead_record', 'status_event', 'opportunity', 'opportunity_stage_event', 'touchpoint', 'activity',
    'campaign', 'spend', 'rep', 'identity_link', 'product_event', 'account',
] -%}

-- Of accepted rows; what a calendar knows in advance was recorded without delay.
with delayed as (

    {% for entity in entities %}
    select
        setting.entity,
        setting.source_system,
        setting.source_table,
        setting.health_rule,
        {{ leadlag.days_between(leadlag.business_date('checked.known_at'), 'setting.last_day') }} < setting.period_days as is_recent,
        greatest({{ leadlag.seconds_between('checked.occurred_at', 'checked.recorded_at') }} / 3600, 0) as lag_hours
    from {{ ref('int_input__' ~ entity ~ '_checked') }} as checked
    inner join {{ ref('int_integrity__health_setting') }} as setting
        on
            setting.entity = '{{ entity }}'
            and setting.source_system = coalesce(checked.source_system, '')
            and setting.source_table = coalesce(checked.source_table, '')
    where
        setting.health_rule in ('lag_median', 'lag_p95')
        and checked.quarantine_rule is null
        and checked.occurred_at is not null
        and checked.known_at is not null
        and {{ leadlag.days_between(leadlag.business_date('checked.known_at'), 'setting.last_day') }}
        between 0 and setting.period_days * (setting.history_periods + 1) - 1
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

percentile as (

    select
        entity,
        source_system,
        source_table,
        health_rule,
        is_recent,
        count(*) as row_count,
        case
            when health_rule = 'lag_median' then percentile_cont(0.5) within group (order by lag_hours)
            else percentile_cont(0.95) within group (order by lag_hours)
        end as lag_hours
    from delayed
    group by entity, source_system, source_table, health_rule, is_recent

),

compared as (

    select
        entity,
        source_system,
        source_table,
        health_rule,
        max(case when is_recent then lag_hours end) as observed,
        max(case when not is_recent then lag_hours end) as usual_hours,
        coalesce(max(case when is_recent then row_count end), 0) as recent_rows,
        coalesce(max(case when not is_recent then row_count end), 0) as history_rows
    from percentile
    group by entity, source_system, source_table, health_rule

),

judged as (

    select
        compared.*,
        setting.minimum_change,
        setting.warn_above,
        setting.fail_above,
        setting.last_day as observed_until,
        cast({{ dbt.dateadd('day', '1 - setting.period_days', 'setting.last_day') }} as date) as observed_from,
        compared.recent_rows >= setting.minimum_rows and compared.history_rows >= setting.minimum_rows as is_judged
    from compared
    inner join {{ ref('int_integrity__health_setting') }} as setting
        on
            compared.entity = setting.entity
            and compared.source_system = setting.source_system
            and compared.source_table = setting.source_table
            and compared.health_rule = setting.health_rule

)

select
    entity,
    source_system,
    source_table,
    health_rule,
    observed,
    case when is_judged then usual_hours end as expected,
    {%- for level in ['warn', 'fail'] %}
    case
        when is_judged and {{ level }}_above is not null
            then greatest(usual_hours + minimum_change, {{ level }}_above * usual_hours)
    end as {{ level }}_limit,
    {%- endfor %}
    observed_from,
    observed_until,
    recent_rows,
    history_rows
from judged
