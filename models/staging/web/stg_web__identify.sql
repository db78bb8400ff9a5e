with delivered as (

    {{ leadlag.conform('web', 'identify', raw='identified_at') }}

)

select
    identify_id,
    visitor_id,
    hubspot_contact_id,
    email,
    identified_at,
    identified_at_raw,
    received_at,
    loaded_at
from delivered
