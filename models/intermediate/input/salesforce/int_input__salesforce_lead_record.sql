with -- One row an account, whatever the loader left behind, so that no contact is doubled.
account as (

    select
        account_id,
        max(account_name) as account_name,
        max(industry) as industry,
        max(employee_count) as employee_count
    from {{ ref('stg_salesforce__account') }}
    group by account_id

)

select
    'salesforce' as source_system,
    'lead' as source_table,
    lead.lead_id as source_id,
    lead.created_at as occurred_at,
    lead.created_at_raw as occurred_at_raw,
    lead.created_at as recorded_at,
    lead.loaded_at,
    'lead' as record_type,
    lead.email,
    lead.full_name,
    lead.phone,
    lead.company_name,
    lead.job_title,
    cast(null as {{ dbt.type_string() }}) as account_source_id,
    lead.country,
    lead.region,
    lead.product_line,
    lead.lead_source,
    lead.industry,
    lead.employee_count,
    lead.owner_id as owner_source_id,
    case when lead.is_opted_out then 'opted out of email' else lead.ad_consent end as ad_consent,
    lead.is_deleted,
    lead.master_record_id is not null as is_merged
from {{ ref('stg_salesforce__lead') }} as lead
union all
select
    'salesforce' as source_system,
    'contact' as source_table,
    contact.contact_id as source_id,
    contact.created_at as occurred_at,
    contact.created_at_raw as occurred_at_raw,
    contact.created_at as recorded_at,
    contact.loaded_at,
    'contact' as record_type,
    contact.email,
    contact.full_name,
    contact.phone,
    account.account_name as company_name,
    contact.job_title,
    contact.account_id as account_source_id,
    contact.country,
    contact.region,
    contact.product_line,
    contact.lead_source,
    account.industry,
    account.employee_count,
    contact.owner_id as owner_source_id,
    case when contact.is_opted_out then 'opted out of email' else contact.ad_consent end as ad_consent,
    contact.is_deleted,
    contact.master_record_id is not null as is_merged
from {{ ref('stg_salesforce__contact') }} as contact
left join account
    on contact.account_id = account.account_id
