with source as (

    select
        entity,
        source_system,
        source_table,
        min(date_day) as first_day,
        max(case when is_complete then date_day end) as last_day
    from {{ ref('source_volume_day') }}
    group by entity, source_system, source_table

),

-- The row that names the table comes before the one that names its entity, and both before the general one.
preferred as (

    select
        source.*,
        rule.health_rule,
        rule.severity,
        rule.period_days,
        rule.history_periods,
        rule.minimum_periods,
        rule.minimum_rows,
        rule.minimum_change,
        rule.warn_above,
        rule.fail_above,
        row_number() over (
            partition by source.entity, source.source_system, source.source_table, rule.health_rule
            order by case when rule.source_table = '*' then 1 else 0 end, case when rule.entity = '*' then 1 else 0 end
        ) as preference
    from source
    inner join {{ ref('health_rule') }} as rule
        on
            rule.entity in ('*', source.entity)
            and rule.source_table in ('*', source.source_table)

)

select
    entity,
    source_system,
    source_table,
    health_rule,
    first_day,
    last_day,
    severity,
    period_days,
    history_periods,
    minimum_periods,
    minimum_rows,
    minimum_change,
    warn_above,
    fail_above
from preferred
where preference = 1 and severity <> 'none' and last_day is not null
