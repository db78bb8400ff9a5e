{%- set entities = [
    'lead_record', 'status_event', 'opportunity', 'opportunity_stage_event', 'touchpoint', 'activity',
    'campaign', 'spend', 'rep', 'identity_link', 'product_event', 'account',
] -%}

-- The bounds are made timestamps once, so that no row has to be asked for its business day.
with setting as (

    select
        entity,
        source_system,
        source_table,
        health_rule,
        {{ leadlag.business_midnight(
            'cast(' ~ dbt.dateadd('day', '1 - period_days * (history_periods + 1)', 'last_day') ~ ' as date)'
        ) }} as history_begin_at,
        {{ leadlag.business_midnight('cast(' ~ dbt.dateadd('day', '1 - period_days', 'last_day') ~ ' as date)') }} as period_begin_at,
        {{ leadlag.business_midnight('cast(' ~ dbt.dateadd('day', 1, 'last_day') ~ ' as date)') }} as period_end_at
    from {{ ref('int_integrity__health_setting') }}
    where health_rule in ('lag_median', 'lag_p95')

),

-- Of accepted rows; what a calendar knows in advance was recorded without delay.
delayed as (

    {% for entity in entities %}
    select
        setting.entity,
        setting.source_system,
        setting.source_table,
        setting.health_rule,
        checked.known_at >= setting.period_begin_at as is_recent,
        greatest({{ leadlag.seconds_between('checked.occurred_at', 'checked.recorded_at') }} / 3600, 0) as lag_hours
    from {{ ref('int_input__' ~ entity ~ '_checked') }} as checked
    inner join setting
        on
            coalesce(checked.source_system, '') = setting.source_system
            and coalesce(checked.source_table, '') = setting.source_table
            and setting.entity = '{{ entity }}'
            and checked.known_at >= setting.history_begin_at
            and checked.known_at < setting.period_end_at
    where checked.quarantine_rule is null and checked.occurred_at is not null
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
