with audited as (

    select
        merged_contact_id,
        canonical_contact_id,
        min(merged_at) as merged_at,
        min(merged_at_raw) as merged_at_raw,
        max(loaded_at) as loaded_at
    from {{ ref('stg_hubspot__contact_merge_audit') }}
    where merged_contact_id is not null and canonical_contact_id is not null
    group by
        merged_contact_id,
        canonical_contact_id

),

listed as (

    select
        contact_id as canonical_contact_id,
        created_at,
        loaded_at,
        {{ leadlag.text_rows('merged_object_ids', ';') }} as merged_contact_id
    from {{ ref('stg_hubspot__contact') }}
    where merged_object_ids is not null

),

-- A merge that the audit knows is dated by the audit alone: the property also lists the earlier links of a chain.
unaudited as (

    select
        listed.merged_contact_id,
        listed.canonical_contact_id,
        min(listed.created_at) as merged_at,
        max(listed.loaded_at) as loaded_at
    from listed
    left join audited
        on listed.merged_contact_id = audited.merged_contact_id
    where audited.merged_contact_id is null and listed.merged_contact_id <> ''
    group by
        listed.merged_contact_id,
        listed.canonical_contact_id

)

select
    'contact_merge_audit' as source_table,
    merged_contact_id,
    canonical_contact_id,
    merged_at,
    merged_at_raw,
    loaded_at
from audited
union all
select
    'contact' as source_table,
    merged_contact_id,
    canonical_contact_id,
    merged_at,
    cast(null as {{ dbt.type_string() }}) as merged_at_raw,
    loaded_at
from unaudited
