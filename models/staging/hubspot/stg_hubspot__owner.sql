with delivered as (

    {{ leadlag.conform('hubspot', 'owner') }}

)

select
    owner_id,
    email,
    first_name,
    last_name,
    is_active,
    created_at,
    loaded_at
from delivered
