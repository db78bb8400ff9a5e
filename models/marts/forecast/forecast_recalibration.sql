{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

select
    as_of,
    model_version,
    measure,
    signal <> 'none' as is_recalibrated,
    signal,
    changed_on,
    centre_factor,
    spread_factor,
    independent_forecasts,
    covered_before,
    covered_after,
    band_low,
    band_high,
    {{ leadlag.share('covered_before', 'independent_forecasts') }} as coverage_before,
    {{ leadlag.share('covered_after', 'independent_forecasts') }} as coverage_after,
    error_before,
    error_after,
    case when independent_forecasts = 0 then 'no earlier forecast of four weeks is over' end as reason
from {{ ref('int_input__recalibration') }}
