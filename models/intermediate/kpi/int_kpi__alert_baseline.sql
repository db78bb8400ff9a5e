-- Judged periods before the alert opened, the latest first.
with earlier as (

    select
        alert.alert_key,
        period.period_start,
        period.baseline_periods,
        row_number() over (partition by alert.alert_key order by period.period_start desc) as recency
    from {{ ref('kpi_alert') }} as alert
    inner join {{ ref('int_kpi__alert_period') }} as period
        on
            alert.alert_kind = period.alert_kind
            and alert.kpi = period.kpi
            and alert.version = period.version
            and alert.variant = period.variant
            and alert.period_grain = period.period_grain
            and alert.cut_name = period.cut_name
            and alert.cut_value = period.cut_value
            and alert.opened_period > period.period_start
    where not period.is_breached

)

select
    alert_key,
    period_start
from earlier
where recency <= baseline_periods
