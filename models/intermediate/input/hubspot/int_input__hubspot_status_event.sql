{%- set history = ref('stg_hubspot__contact_property_history') -%}
{%- set contact = ref('stg_hubspot__contact') -%}
{%- if leadlag.status_source('hubspot') == 'snapshot' -%}
with version as (

    select
        contact_id,
        lifecycle_stage,
        lead_status,
        last_modified_at,
        dbt_valid_from,
        lag(lifecycle_stage) over (partition by contact_id order by dbt_valid_from) as previous_lifecycle_stage,
        lag(lead_status) over (partition by contact_id order by dbt_valid_from) as previous_lead_status
    from {{ ref('hubspot_contact_status') }}
    where coalesce(dbt_is_deleted, 'False') <> 'True'

)
{% for status_field, column in {'lifecyclestage': 'lifecycle_stage', 'hs_lead_status': 'lead_status'}.items() %}
select
    'hubspot' as source_system,
    'hubspot_contact_status' as source_table,
    contact_id || ':{{ status_field }}:' || cast({{ leadlag.epoch_us('dbt_valid_from') }} as {{ dbt.type_string() }}) as source_id,
    least(coalesce(last_modified_at, dbt_valid_from), dbt_valid_from) as occurred_at,
    dbt_valid_from as recorded_at,
    'contact' as record_type,
    contact_id as record_source_id,
    '{{ status_field }}' as status_field,
    {{ column }} as status_raw
from version
where {{ column }} is not null and {{ column }} <> coalesce(previous_{{ column }}, '')
{{ 'union all' if not loop.last }}
{%- endfor %}
{%- elif leadlag.has_rows(history, "lower(property_name) in ('lifecyclestage', 'hs_lead_status')") -%}
select
    'hubspot' as source_system,
    'contact_property_history' as source_table,
    contact_id || ':' || lower(property_name) || ':'
    || coalesce(cast({{ leadlag.epoch_us('changed_at') }} as {{ dbt.type_string() }}), changed_at_raw, '') as source_id,
    changed_at as occurred_at,
    changed_at_raw as occurred_at_raw,
    changed_at as recorded_at,
    loaded_at,
    'contact' as record_type,
    contact_id as record_source_id,
    lower(property_name) as status_field,
    property_value as status_raw,
    case when change_source = 'CRM_UI' then change_source_id end as changed_by_source_id
from {{ history }}
where
    lower(property_name) in ('lifecyclestage', 'hs_lead_status')
    and property_value is not null
{%- else -%}
with entered as (
{% for stage, column in {
    'subscriber': 'became_subscriber_at',
    'lead': 'became_lead_at',
    'marketingqualifiedlead': 'became_mql_at',
    'salesqualifiedlead': 'became_sql_at',
    'opportunity': 'became_opportunity_at',
    'customer': 'became_customer_at',
}.items() %}
    select
        contact_id,
        '{{ stage }}' as status_raw,
        {{ column }} as occurred_at,
        loaded_at
    from {{ contact }}
    where {{ column }} is not null
    union all
{%- endfor %}
    select
        contact_id,
        lifecycle_stage as status_raw,
        created_at as occurred_at,
        loaded_at
    from {{ contact }}
    where
        lifecycle_stage is not null
        and coalesce(
            became_subscriber_at, became_lead_at, became_mql_at, became_sql_at, became_opportunity_at, became_customer_at
        ) is null

)

select
    'hubspot' as source_system,
    'contact' as source_table,
    contact_id || ':lifecyclestage:' || status_raw as source_id,
    occurred_at,
    occurred_at as recorded_at,
    loaded_at,
    'contact' as record_type,
    contact_id as record_source_id,
    'lifecyclestage' as status_field,
    status_raw
from entered
{%- endif %}
