{%- set connectors = var('connectors', []) -%}
with identify as (

    select
        visitor_id,
        hubspot_contact_id,
        identified_at,
        identified_at_raw,
        received_at,
        loaded_at,
        coalesce(
            identify_id,
            -- Of the address only the hash: a key goes on into tables without personal data.
            visitor_id || ':'
            || coalesce(hubspot_contact_id, cast({{ leadlag.email_key('email') }} as {{ dbt.type_string() }}), '') || ':'
            || coalesce(cast({{ leadlag.epoch_us('identified_at') }} as {{ dbt.type_string() }}), identified_at_raw, '')
        ) as source_id,
        {{ leadlag.email_key('email') }} as email_key
    from {{ ref('stg_web__identify') }}

),

-- An address alone names the oldest record that has it; where the project knows several, they are one person anyway.
record as (
    {% if 'hubspot' in connectors %}
    select
        'hubspot' as source_system,
        'contact' as record_type,
        contact_id as source_id,
        created_at,
        {{ leadlag.email_key('email') }} as email_key
    from {{ ref('stg_hubspot__contact') }}
    where email is not null
    {% endif %}
    {%- if 'hubspot' in connectors and 'salesforce' in connectors %}
    union all
    {% endif %}
    {%- if 'salesforce' in connectors %}
    select
        'salesforce' as source_system,
        'lead' as record_type,
        lead_id as source_id,
        created_at,
        {{ leadlag.email_key('email') }} as email_key
    from {{ ref('stg_salesforce__lead') }}
    where email is not null
    {% endif %}
    {%- if 'hubspot' not in connectors and 'salesforce' not in connectors %}
    select
        'none' as source_system,
        'none' as record_type,
        visitor_id as source_id,
        identified_at as created_at,
        email_key
    from identify
    where 1 = 0
    {% endif %}
),

named as (

    select
        identify.source_id,
        record.source_system as to_source_system,
        record.record_type as to_record_type,
        record.source_id as to_source_id,
        row_number() over (
            partition by identify.source_id
            order by
                record.created_at nulls last,
                record.source_system,
                {{ leadlag.byte_order('record.source_id') }}
        ) as preference
    from identify
    inner join record
        on identify.email_key = record.email_key
    where identify.hubspot_contact_id is null

)

select
    'web' as source_system,
    'identify' as source_table,
    identify.source_id,
    identify.identified_at as occurred_at,
    identify.identified_at_raw as occurred_at_raw,
    identify.received_at as recorded_at,
    identify.loaded_at,
    'visitor' as link_type,
    'web' as from_source_system,
    'visitor' as from_record_type,
    identify.visitor_id as from_source_id,
    case when identify.hubspot_contact_id is not null then 'hubspot' else named.to_source_system end as to_source_system,
    case when identify.hubspot_contact_id is not null then 'contact' else named.to_record_type end as to_record_type,
    coalesce(identify.hubspot_contact_id, named.to_source_id) as to_source_id
from identify
left join named
    on identify.source_id = named.source_id and named.preference = 1
