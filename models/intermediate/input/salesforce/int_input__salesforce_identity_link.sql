with converted as (

    select
        lead_id,
        converted_contact_id,
        created_at,
        converted_at,
        loaded_at,
        {{ dbt.dateadd('day', -1, 'converted_at') }} as day_before,
        {{ dbt.dateadd('day', 2, 'converted_at') }} as day_after
    from {{ ref('stg_salesforce__lead') }}
    where converted_contact_id is not null and coalesce(is_converted, true)

),

-- converted_at is a day in the user's time zone. The time itself: the tracked conversion, else the contact that it
-- made, else the status that it set; the last two only near that day.
tracked as (

    select
        converted.lead_id,
        min(case when lower(history.field_name) in ('leadconverted', 'isconverted') then history.created_at end) as conversion_at,
        max(
            case
                when lower(history.field_name) = 'status' and history.created_at between converted.day_before and converted.day_after
                    then history.created_at
            end
        ) as status_at
    from converted
    inner join {{ ref('stg_salesforce__lead_history') }} as history
        on converted.lead_id = history.lead_id
    group by converted.lead_id

),

created_contact as (

    select
        contact_id,
        min(created_at) as created_at
    from {{ ref('stg_salesforce__contact') }}
    group by contact_id

),

conversion as (

    select
        converted.lead_id,
        converted.converted_contact_id,
        converted.loaded_at,
        coalesce(
            tracked.conversion_at,
            case when created_contact.created_at between converted.day_before and converted.day_after then created_contact.created_at end,
            tracked.status_at,
            greatest(converted.converted_at, converted.created_at)
        ) as occurred_at
    from converted
    left join tracked
        on converted.lead_id = tracked.lead_id
    left join created_contact
        on converted.converted_contact_id = created_contact.contact_id

),

merged as (

    select
        'lead' as record_type,
        lead_id as record_id,
        master_record_id,
        coalesce(last_modified_at, created_at) as occurred_at,
        loaded_at
    from {{ ref('stg_salesforce__lead') }}
    where master_record_id is not null
    union all
    select
        'contact' as record_type,
        contact_id as record_id,
        master_record_id,
        coalesce(last_modified_at, created_at) as occurred_at,
        loaded_at
    from {{ ref('stg_salesforce__contact') }}
    where master_record_id is not null

)

select
    'salesforce' as source_system,
    'lead' as source_table,
    lead_id || ':conversion' as source_id,
    occurred_at,
    loaded_at,
    'conversion' as link_type,
    'salesforce' as from_source_system,
    'lead' as from_record_type,
    lead_id as from_source_id,
    'salesforce' as to_source_system,
    'contact' as to_record_type,
    converted_contact_id as to_source_id
from conversion
union all
select
    'salesforce' as source_system,
    record_type as source_table,
    record_id || ':merge' as source_id,
    occurred_at,
    loaded_at,
    'merge' as link_type,
    'salesforce' as from_source_system,
    record_type as from_record_type,
    record_id as from_source_id,
    'salesforce' as to_source_system,
    record_type as to_record_type,
    master_record_id as to_source_id
from merged
