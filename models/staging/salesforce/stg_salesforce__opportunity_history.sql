with delivered as (

    {{ leadlag.conform('salesforce', 'opportunity_history', raw='created_at') }}

)

select
    history_id,
    opportunity_id,
    stage_name,
    amount,
    currency_code,
    cast(probability_percent as {{ leadlag.type_double() }}) / 100 as probability,
    forecast_category,
    created_at,
    created_at_raw,
    loaded_at
from delivered
