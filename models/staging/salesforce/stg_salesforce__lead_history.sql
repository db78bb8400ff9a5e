with delivered as (

    {{ leadlag.conform('salesforce', 'lead_history', raw='created_at') }}

)

select
    history_id,
    lead_id,
    field_name,
    old_value,
    new_value,
    created_at,
    created_at_raw,
    created_by_id,
    loaded_at
from delivered
