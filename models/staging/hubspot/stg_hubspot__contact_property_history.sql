with delivered as (

    {{ leadlag.conform('hubspot', 'contact_property_history', raw='changed_at') }}

)

select
    contact_id,
    property_name,
    property_value,
    changed_at,
    changed_at_raw,
    change_source,
    change_source_id,
    loaded_at
from delivered
