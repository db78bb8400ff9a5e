{{ config(materialized='view') }}

{%- set of_record = ['job_title', 'industry', 'employee_count', 'country', 'region', 'product_line', 'lead_source'] -%}
{%- set of_account = ['industry', 'employee_count', 'country', 'region'] -%}
{%- set texts = {'employee_count': 'cast({0}.employee_count as ' ~ dbt.type_string() ~ ')', 'lead_source': '{0}.lead_source_name'} -%}

-- Empty texts for nulls, so that everything behind joins by plain equality.
with record as (

    select
        record.*,
        person.person_key,
        coalesce(source_map.lead_source, lower(trim(record.lead_source))) as lead_source_name
    from {{ ref('int_input__lead_record') }} as record
    inner join {{ ref('int_identity__lead_record_person') }} as person on record.lead_record_key = person.lead_record_key
    left join {{ ref('lead_source_map') }} as source_map
        on lower(trim(record.lead_source)) = lower(trim(source_map.lead_source_raw))

),

wanted as (

    {% for kind in of_record -%}
    select 'record' as origin, '{{ kind }}' as kind
    union all
    {% endfor -%}
    {% for kind in of_account -%}
    select 'account' as origin, '{{ kind }}' as kind
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

attribute as (

    select
        record.person_key,
        record.lead_record_key,
        wanted.kind,
        wanted.origin,
        case
            {%- for kind in of_record %}
            when wanted.origin = 'record' and wanted.kind = '{{ kind }}' then {{ texts.get(kind, '{0}.' ~ kind).format('record') }}
            {%- endfor %}
            {%- for kind in of_account %}
            when wanted.origin = 'account' and wanted.kind = '{{ kind }}' then {{ texts.get(kind, '{0}.' ~ kind).format('account') }}
            {%- endfor %}
        end as detail,
        record.recorded_at,
        case when wanted.origin = 'account' then account.known_at end as account_known_at
    from record
    left join {{ ref('int_input__account') }} as account
        on record.source_system = account.source_system and record.account_source_id = account.source_id
    cross join wanted

)

select
    'touchpoint' as subject,
    touchpoint_key as subject_key,
    person_key,
    coalesce(touchpoint_type, '') as kind,
    coalesce(interaction, '') as detail,
    coalesce(channel, '') as channel,
    coalesce(landing_path, '') as page,
    occurred_at,
    greatest(occurred_at, recorded_at) as known_at
from {{ ref('fct_touchpoint') }}
where person_key is not null and traffic = 'person'
union all
select
    'activity' as subject,
    activity_key as subject_key,
    person_key,
    coalesce(activity_type, '') as kind,
    coalesce(outcome, '') as detail,
    coalesce(direction, '') as channel,
    '' as page,
    occurred_at,
    greatest(occurred_at, recorded_at) as known_at
from {{ ref('fct_activity') }}
where person_key is not null
union all
select
    'product_event' as subject,
    event.product_event_key as subject_key,
    coalesce(by_record.person_key, by_email.person_key) as person_key,
    coalesce(event.event_name, '') as kind,
    '' as detail,
    '' as channel,
    '' as page,
    event.occurred_at,
    greatest(event.occurred_at, event.recorded_at) as known_at
from {{ ref('int_input__product_event') }} as event
left join {{ ref('int_identity__lead_record_person') }} as by_record on event.lead_record_key = by_record.lead_record_key
left join {{ ref('int_identity__email_person') }} as by_email on event.email_key = by_email.email_key
where coalesce(by_record.person_key, by_email.person_key) is not null
union all
select
    'attribute' as subject,
    lead_record_key as subject_key,
    person_key,
    kind,
    detail,
    origin as channel,
    '' as page,
    recorded_at as occurred_at,
    greatest(recorded_at, coalesce(account_known_at, recorded_at)) as known_at
from attribute
where coalesce(trim(detail), '') <> ''
