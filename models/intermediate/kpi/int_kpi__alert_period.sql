-- The closest rule: one that names the KPI.
with rule as (

    select
        kpi.kpi,
        rule.alert_kind,
        rule.period_grain,
        rule.cut_name,
        rule.baseline_periods,
        rule.cause_count,
        row_number() over (
            partition by kpi.kpi, rule.alert_kind, rule.period_grain, rule.cut_name order by case when rule.kpi = '*' then 0 else 1 end desc
        ) as closeness
    from {{ ref('alert_rule') }} as rule
    inner join (select distinct kpi from {{ ref('kpi') }}) as kpi on rule.kpi in ('*', kpi.kpi)

),

judged as (

    select
        'threshold_breached' as alert_kind,
        kpi_value_key,
        status = 'threshold_breached' as is_breached,
        case when value < threshold then -1 else 1 end as side
    from {{ ref('fct_kpi') }}
    where status in ('on_target', 'target_missed', 'threshold_breached')
    union all
    select
        'control_chart_signal' as alert_kind,
        chart.kpi_value_key,
        chart.is_signal and case when chart.z < 0 then 'higher' else 'lower' end = kpi.direction as is_breached,
        case when chart.z < 0 then -1 else 1 end as side
    from {{ ref('kpi_control_chart') }} as chart
    inner join {{ ref('kpi') }} as kpi on chart.kpi = kpi.kpi and chart.version = kpi.version
    where chart.is_tested

)

select
    judged.alert_kind,
    value.kpi_value_key,
    value.kpi,
    value.version,
    value.variant,
    value.period_grain,
    value.period_start,
    value.next_period_start,
    value.cut_name,
    value.cut_value,
    value.numerator,
    value.denominator,
    value.value,
    value.threshold,
    judged.is_breached,
    judged.side,
    rule.baseline_periods,
    rule.cause_count
from judged
inner join {{ ref('fct_kpi') }} as value on judged.kpi_value_key = value.kpi_value_key
inner join rule
    on
        value.kpi = rule.kpi
        and judged.alert_kind = rule.alert_kind
        and value.period_grain = rule.period_grain
        and value.cut_name = rule.cut_name
        and rule.closeness = 1
where value.is_mature and value.is_reliable
