with delivered as (

    {{ leadlag.conform('hubspot', 'contact', raw='created_at') }}

)

select
    contact_id,
    email,
    first_name,
    last_name,
    phone,
    company_name,
    job_title,
    country,
    region,
    product_line,
    industry,
    employee_count,
    company_id,
    owner_id,
    lifecycle_stage,
    lead_status,
    lead_source,
    ad_consent,
    is_opted_out,
    merged_object_ids,
    salesforce_lead_id,
    salesforce_contact_id,
    became_subscriber_at,
    became_lead_at,
    became_mql_at,
    became_sql_at,
    became_opportunity_at,
    became_customer_at,
    created_at,
    created_at_raw,
    last_modified_at,
    is_deleted,
    loaded_at
from delivered
