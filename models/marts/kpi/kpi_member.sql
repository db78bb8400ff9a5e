{{ config(materialized='view') }}

-- Days by period are joined by plain equality; a case over the three starts of dim_date makes DuckDB join all periods first.
with day_period as (

    select
        day.date_day,
        period.period_grain,
        period.period_start,
        period.next_period_start
    from {{ ref('int_kpi__period') }} as period
    inner join {{ ref('dim_date') }} as day
        on period.period_start <= day.date_day and period.next_period_start > day.date_day

)

select
    role.kpi,
    role.version,
    role.variant,
    day_period.period_grain,
    day_period.period_start,
    kpi_cut.cut_name,
    segment_cut.cut_value,
    role.role,
    measure.subject,
    measure.subject_key,
    measure.journey_key,
    measure.measured_date,
    case when role.is_one_each then {{ leadlag.double(1) }} else measure.amount end as amount,
    measure.is_counted,
    measure.is_pending
from {{ ref('int_kpi__role') }} as role
inner join {{ ref('int_kpi__kpi_cut') }} as kpi_cut on role.kpi = kpi_cut.kpi
inner join {{ ref('int_kpi__measure') }} as measure on role.measure = measure.measure and role.segment_key = measure.segment_key
inner join {{ ref('int_kpi__segment_cut') }} as segment_cut
    on role.segment_key = segment_cut.segment_key and kpi_cut.cut_name = segment_cut.cut_name
inner join day_period
    on
        measure.measured_date = day_period.date_day
        and kpi_cut.period_grain = day_period.period_grain
        and role.valid_from <= day_period.period_start
        and (role.valid_to >= day_period.next_period_start or role.valid_to is null)
