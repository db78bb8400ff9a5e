{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

select
    as_of,
    model_version,
    measure,
    month_start,
    horizon_months,
    expected,
    actual,
    actual - expected as deviation,
    (actual - expected) / nullif(expected, 0) as deviation_share,
    arrivals_effect,
    rate_effect,
    timing_effect,
    amount_effect,
    follow_up_days,
    case
        when follow_up_days = 0 then 'no follow-up yet: timing is still taken for rate'
        when expected = 0 then 'nothing was expected'
    end as reason
from {{ ref('int_input__accuracy') }}
