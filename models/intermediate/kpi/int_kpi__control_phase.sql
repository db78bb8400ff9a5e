with point as (

    select * from {{ ref('int_kpi__control_point') }}

),

change as (

    select
        point.kpi_value_key,
        count(distinct case when change.changed_on <= point.period_start then change.changed_on end) as changes_before,
        max(case when change.changed_on <= point.period_start then change.changed_on end) as last_changed_on,
        max(case when change.changed_on > point.period_start then 1 else 0 end) = 1 as is_mixed
    from point
    inner join {{ ref('int_kpi__control_change') }} as change
        on point.series_key = change.series_key and point.next_period_start > change.changed_on
    group by point.kpi_value_key

),

phased as (

    select
        point.*,
        change.last_changed_on,
        coalesce(change.is_mixed, false) as is_mixed,
        point.is_usable and not coalesce(change.is_mixed, false) as is_charted,
        dense_rank() over (partition by point.series_key order by coalesce(change.changes_before, 0)) as phase_number
    from point
    left join change on point.kpi_value_key = change.kpi_value_key

),

numbered as (

    select
        phased.*,
        count(case when is_charted then 1 end) over (
            partition by series_key, phase_number order by period_start rows between unbounded preceding and current row
        ) as point_number
    from phased

)

select
    kpi_value_key,
    series_key,
    kpi,
    version,
    variant,
    period_grain,
    period_start,
    next_period_start,
    cut_name,
    cut_value,
    numerator,
    denominator,
    value,
    volume,
    chart_type,
    baseline_periods,
    minimum_periods,
    minimum_expected,
    effect_periods,
    nelson_rules,
    phase_number,
    last_changed_on,
    is_mixed,
    is_charted,
    is_charted and point_number <= baseline_periods as is_baseline
from numbered
