-- The rule that a value is judged by: the closest row of kpi_target, one that names the KPI before one that names the cut value.
with result as (

    select
        result.*,
        definition.days_to_maturity,
        kpi.direction
    from {{ ref('int_kpi__result') }} as result
    inner join {{ ref('int_kpi__definition') }} as definition
        on result.kpi = definition.kpi and result.version = definition.version and result.variant = definition.variant
    inner join {{ ref('kpi') }} as kpi on result.kpi = kpi.kpi and result.version = kpi.version

),

ranked as (

    select
        result.kpi,
        result.version,
        result.variant,
        result.statistic,
        result.direction,
        result.period_grain,
        result.period_start,
        result.next_period_start,
        result.cut_name,
        result.cut_value,
        result.days_to_maturity,
        rule.method,
        rule.target,
        rule.threshold,
        rule.trailing_periods,
        rule.minimum_periods,
        case when result.direction = 'higher' then rule.target_percentile else 1 - rule.target_percentile end as target_percentile,
        case when result.direction = 'higher' then rule.threshold_percentile else 1 - rule.threshold_percentile end as threshold_percentile,
        -- Whose history sets the level.
        case when rule.method = 'global_percentile' then 'total' else result.cut_name end as history_cut_name,
        case when rule.method = 'global_percentile' then '(all)' else result.cut_value end as history_cut_value,
        case when rule.method = 'global_percentile' then 'global' else result.variant end as history_variant,
        row_number() over (
            partition by
                result.kpi, result.version, result.variant, result.period_grain, result.period_start, result.cut_name, result.cut_value
            order by case when rule.kpi = '*' then 0 else 2 end + case when rule.cut_value = '*' then 0 else 1 end desc
        ) as closeness
    from result
    inner join {{ ref('kpi_target') }} as rule
        on
            rule.kpi in ('*', result.kpi)
            and result.period_grain = rule.period_grain
            and result.cut_name = rule.cut_name
            and rule.cut_value in ('*', result.cut_value)
            and result.period_start >= rule.valid_from
            and (result.period_start < rule.valid_to or rule.valid_to is null)

)

select *
from ranked
where closeness = 1
