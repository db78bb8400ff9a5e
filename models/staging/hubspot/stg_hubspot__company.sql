with delivered as (

    {{ leadlag.conform('hubspot', 'company') }}

)

select
    company_id,
    company_name,
    domain,
    website,
    industry,
    employee_count,
    country,
    region,
    parent_company_id,
    owner_id,
    created_at,
    is_deleted,
    loaded_at
from delivered
