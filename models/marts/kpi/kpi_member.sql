{{ config(materialized='view') }}

select
    role.kpi,
    role.version,
    role.variant,
    period.period_grain,
    period.period_start,
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
inner join {{ ref('dim_date') }} as day on measure.measured_date = day.date_day
inner join {{ ref('int_kpi__period') }} as period
    on
        kpi_cut.period_grain = period.period_grain
        and case kpi_cut.period_grain
            when 'week' then day.week_start
            when 'month' then day.month_start
            else day.quarter_start
        end = period.period_start
        and role.valid_from <= period.period_start
        and (role.valid_to >= period.next_period_start or role.valid_to is null)
