{%- if leadlag.status_source('salesforce') == 'snapshot' -%}
select
    'salesforce' as source_system,
    'salesforce_lead_status' as source_table,
    lead_id || ':' || cast({{ leadlag.epoch_us('dbt_valid_from') }} as {{ dbt.type_string() }}) as source_id,
    least(coalesce(last_modified_at, dbt_valid_from), dbt_valid_from) as occurred_at,
    dbt_valid_from as recorded_at,
    'lead' as record_type,
    lead_id as record_source_id,
    'status' as status_field,
    status as status_raw
from {{ ref('salesforce_lead_status') }} as version
where status is not null and coalesce(dbt_is_deleted, 'False') <> 'True'
{%- else -%}
with change as (

    select
        history_id,
        lead_id,
        old_value,
        new_value,
        created_at,
        created_at_raw,
        created_by_id,
        loaded_at,
        dense_rank() over (
            partition by lead_id
            order by created_at nulls last, {{ leadlag.byte_order('history_id') }}
        ) as change_number
    from {{ ref('stg_salesforce__lead_history') }}
    where lower(field_name) = 'status'

),

first_change as (

    select
        lead_id,
        max(old_value) as old_value
    from change
    where change_number = 1
    group by lead_id

),

-- The status at creation is what the first change replaced. A lead that never changed still has it, unless it was
-- converted: then the CRM does not track the field, the conversion set the status, and nothing tells the one before.
reconstructed as (

    select
        lead.lead_id,
        lead.created_at_raw,
        lead.created_at,
        lead.loaded_at,
        case when first_change.lead_id is null then lead.status else first_change.old_value end as status,
        case
            when first_change.lead_id is null and lead.is_converted
                then least(greatest(lead.created_at, lead.converted_at), lead.loaded_at)
        end as converted_at
    from {{ ref('stg_salesforce__lead') }} as lead
    left join first_change
        on lead.lead_id = first_change.lead_id
    where not coalesce(lead.is_deleted, false) or lead.master_record_id is not null

)

select
    'salesforce' as source_system,
    'lead_history' as source_table,
    history_id as source_id,
    created_at as occurred_at,
    created_at_raw as occurred_at_raw,
    created_at as recorded_at,
    loaded_at,
    change_number as event_sequence,
    'lead' as record_type,
    lead_id as record_source_id,
    'status' as status_field,
    new_value as status_raw,
    created_by_id as changed_by_source_id
from change
where new_value is not null
union all
select
    'salesforce' as source_system,
    'lead' as source_table,
    lead_id || case when converted_at is null then ':created' else ':converted' end as source_id,
    coalesce(converted_at, created_at) as occurred_at,
    created_at_raw as occurred_at_raw,
    coalesce(converted_at, created_at) as recorded_at,
    loaded_at,
    0 as event_sequence,
    'lead' as record_type,
    lead_id as record_source_id,
    'status' as status_field,
    status as status_raw,
    cast(null as {{ dbt.type_string() }}) as changed_by_source_id
from reconstructed
where status is not null
{%- endif %}
