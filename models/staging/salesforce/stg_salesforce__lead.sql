with delivered as (

    {{ leadlag.conform('salesforce', 'lead', raw='created_at') }}

)

select
    lead_id,
    email,
    full_name,
    phone,
    company_name,
    job_title,
    status,
    lead_source,
    industry,
    employee_count,
    country,
    region,
    product_line,
    owner_id,
    ad_consent,
    is_opted_out,
    created_at,
    created_at_raw,
    last_modified_at,
    is_converted,
    converted_at,
    converted_contact_id,
    converted_account_id,
    converted_opportunity_id,
    master_record_id,
    is_deleted,
    loaded_at
from delivered
where coalesce(is_current, true)
