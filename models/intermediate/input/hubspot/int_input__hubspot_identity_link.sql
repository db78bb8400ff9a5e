select
    'hubspot' as source_system,
    source_table,
    merged_contact_id || ':' || canonical_contact_id as source_id,
    merged_at as occurred_at,
    merged_at_raw as occurred_at_raw,
    loaded_at,
    'merge' as link_type,
    'hubspot' as from_source_system,
    'contact' as from_record_type,
    merged_contact_id as from_source_id,
    'hubspot' as to_source_system,
    'contact' as to_record_type,
    canonical_contact_id as to_source_id
from {{ ref('int_input__hubspot_merge') }}
{%- for record_type in ['lead', 'contact'] %}
union all
select
    'hubspot' as source_system,
    'contact' as source_table,
    contact_id || ':{{ record_type }}' as source_id,
    created_at as occurred_at,
    created_at_raw as occurred_at_raw,
    loaded_at,
    'explicit' as link_type,
    'hubspot' as from_source_system,
    'contact' as from_record_type,
    contact_id as from_source_id,
    'salesforce' as to_source_system,
    '{{ record_type }}' as to_record_type,
    salesforce_{{ record_type }}_id as to_source_id
from {{ ref('stg_hubspot__contact') }}
where salesforce_{{ record_type }}_id is not null
{%- endfor %}
