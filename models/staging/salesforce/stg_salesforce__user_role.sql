with delivered as (

    {{ leadlag.conform('salesforce', 'user_role') }}

)

select
    user_role_id,
    role_name,
    parent_role_id,
    loaded_at
from delivered
where coalesce(is_current, true)
