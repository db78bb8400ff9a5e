with delivered as (

    {{ leadlag.conform('salesforce', 'account') }}

)

select
    account_id,
    account_name,
    website,
    industry,
    employee_count,
    country,
    region,
    parent_id,
    owner_id,
    master_record_id,
    created_at,
    is_deleted,
    loaded_at
from delivered
where coalesce(is_current, true)
