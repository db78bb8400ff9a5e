with delivered as (

    {{ leadlag.conform('salesforce', 'opportunity_stage') }}

)

select
    stage_id,
    api_name,
    stage_label,
    sort_order,
    cast(default_probability_percent as {{ leadlag.type_double() }}) / 100 as default_probability,
    forecast_category,
    is_active,
    is_closed,
    is_won,
    loaded_at
from delivered
