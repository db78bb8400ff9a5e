with merged_away as (

    select distinct merged_contact_id from {{ ref('int_input__hubspot_merge') }}

)

select
    'hubspot' as source_system,
    'contact' as source_table,
    contact.contact_id as source_id,
    contact.created_at as occurred_at,
    contact.created_at_raw as occurred_at_raw,
    contact.created_at as recorded_at,
    contact.loaded_at,
    'contact' as record_type,
    contact.email,
    nullif(trim(coalesce(contact.first_name, '') || ' ' || coalesce(contact.last_name, '')), '') as full_name,
    contact.phone,
    contact.company_name,
    contact.job_title,
    contact.company_id as account_source_id,
    contact.country,
    contact.region,
    contact.product_line,
    contact.lead_source,
    contact.industry,
    contact.employee_count,
    contact.owner_id as owner_source_id,
    case when contact.is_opted_out then 'opted out of email' else contact.ad_consent end as ad_consent,
    contact.is_deleted,
    merged_away.merged_contact_id is not null as is_merged
from {{ ref('stg_hubspot__contact') }} as contact
left join merged_away
    on contact.contact_id = merged_away.merged_contact_id
union all
select
    'hubspot' as source_system,
    'contact_merge_audit' as source_table,
    contact_id as source_id,
    created_at as occurred_at,
    cast(null as {{ dbt.type_string() }}) as occurred_at_raw,
    created_at as recorded_at,
    loaded_at,
    'contact' as record_type,
    cast(null as {{ dbt.type_string() }}) as email,
    cast(null as {{ dbt.type_string() }}) as full_name,
    cast(null as {{ dbt.type_string() }}) as phone,
    cast(null as {{ dbt.type_string() }}) as company_name,
    cast(null as {{ dbt.type_string() }}) as job_title,
    cast(null as {{ dbt.type_string() }}) as account_source_id,
    cast(null as {{ dbt.type_string() }}) as country,
    cast(null as {{ dbt.type_string() }}) as region,
    cast(null as {{ dbt.type_string() }}) as product_line,
    cast(null as {{ dbt.type_string() }}) as lead_source,
    cast(null as {{ dbt.type_string() }}) as industry,
    cast(null as bigint) as employee_count,
    cast(null as {{ dbt.type_string() }}) as owner_source_id,
    cast(null as {{ dbt.type_string() }}) as ad_consent,
    false as is_deleted,
    true as is_merged
from {{ ref('int_input__hubspot_merged_contact') }}
