with delivered as (

    {{ leadlag.conform('salesforce', 'contact', raw='created_at') }}

)

select
    contact_id,
    account_id,
    email,
    full_name,
    phone,
    job_title,
    lead_source,
    country,
    region,
    product_line,
    owner_id,
    ad_consent,
    is_opted_out,
    created_at,
    created_at_raw,
    last_modified_at,
    master_record_id,
    is_deleted,
    loaded_at
from delivered
where coalesce(is_current, true)
