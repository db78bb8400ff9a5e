-- A tested period lies behind a complete baseline of its own phase, and nothing else can signal.
select chart.*
from {{ ref('kpi_control_chart') }} as chart
where
    (chart.is_tested
        and coalesce(chart.period_start < chart.baseline_end or chart.z is null or chart.lower_limit > chart.upper_limit, true))
    or (chart.is_signal and not chart.is_tested)
    or chart.is_tested <> (chart.not_tested_reason is null)
    or (chart.is_tested and chart.is_baseline)
