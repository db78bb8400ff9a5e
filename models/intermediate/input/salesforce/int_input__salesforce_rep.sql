with user_role as (

    select
        user_role_id,
        max(role_name) as role_name
    from {{ ref('stg_salesforce__user_role') }}
    group by user_role_id

)

select
    'salesforce' as source_system,
    'user' as source_table,
    crm_user.user_id as source_id,
    crm_user.created_at as occurred_at,
    crm_user.loaded_at,
    crm_user.full_name,
    crm_user.email,
    crm_user.manager_id as manager_source_id,
    user_role.role_name,
    crm_user.team,
    crm_user.region,
    crm_user.is_active
from {{ ref('stg_salesforce__user') }} as crm_user
left join user_role
    on crm_user.user_role_id = user_role.user_role_id
