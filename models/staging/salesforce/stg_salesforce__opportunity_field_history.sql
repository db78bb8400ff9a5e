with delivered as (

    {{ leadlag.conform('salesforce', 'opportunity_field_history', raw='created_at') }}

)

select
    history_id,
    opportunity_id,
    field_name,
    old_value,
    new_value,
    created_at,
    created_at_raw,
    loaded_at
from delivered
