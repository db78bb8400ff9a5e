with delivered as (

    {{ leadlag.conform('salesforce', 'opportunity_contact_role') }}

)

select
    role_id,
    opportunity_id,
    contact_id,
    is_primary,
    created_at,
    is_deleted,
    loaded_at
from delivered
