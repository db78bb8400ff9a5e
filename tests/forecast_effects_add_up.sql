-- Arrivals, rate, timing and amount explain the whole deviation of each month and nothing more.
select
    measure,
    month_start,
    horizon_months,
    deviation,
    arrivals_effect + rate_effect + timing_effect + amount_effect as explained
from {{ ref('forecast_accuracy') }}
where abs(deviation - (arrivals_effect + rate_effect + timing_effect + amount_effect)) > 1e-9 * (1 + abs(expected) + abs(actual))
