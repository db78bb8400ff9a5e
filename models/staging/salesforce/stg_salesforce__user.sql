with delivered as (

    {{ leadlag.conform('salesforce', 'user') }}

)

select
    user_id,
    full_name,
    email,
    manager_id,
    user_role_id,
    team,
    region,
    is_active,
    created_at,
    loaded_at
from delivered
where coalesce(is_current, true)
