{{ leadlag.incremental('touched_persons') }}
{%- set since = leadlag.increment().since -%}

{% if since is none -%}
select
    cast(null as bigint) as build_number,
    person_key
from {{ ref('int_identity__lead_record_person') }}
where 1 = 0
{%- else -%}
-- A campaign, opportunity or rep that has changed touches those who refer to it.
with touch as (

    select
        lead_record_key,
        email_key,
        visitor_id
    from {{ ref('int_input__touchpoint_checked') }}
    where source_system || ':' || campaign_source_id in {{ leadlag.changed_ids('campaign', since) }}

),

record as (

    select change_key as lead_record_key
    from {{ leadlag.changed_keys('lead_record', since) }} as change
    union
    select lead_record_key
    from touch
    union
    select lead_record_key
    from {{ ref('int_input__opportunity_checked') }}
    where opportunity_key in {{ leadlag.changed_keys('opportunity', since) }}
    union
    select lead_record_key
    from {{ ref('int_input__activity_checked') }}
    where
        source_system || ':' || opportunity_source_id in {{ leadlag.changed_ids('opportunity', since) }}
        or source_system || ':' || rep_source_id in {{ leadlag.changed_ids('rep', since) }}
    union
    select lead_record_key
    from {{ ref('int_input__lead_record_checked') }}
    where source_system || ':' || owner_source_id in {{ leadlag.changed_ids('rep', since) }}

),

person as (

    select change_key as person_key
    from {{ leadlag.changed_keys('person', since) }} as change
    union
    select person_key
    from {{ ref('int_identity__lead_record_person') }}
    where lead_record_key in (select lead_record_key from record)
    union
    select person_key
    from {{ ref('int_identity__email_person') }}
    where
        email_key in {{ leadlag.changed_keys('email', since) }}
        or email_key in (select email_key from touch)
    union
    select person_key
    from {{ ref('int_identity__visitor_person') }}
    where
        visitor_id in {{ leadlag.changed_ids('visitor', since) }}
        or visitor_id in (select visitor_id from touch)

)

select
    {{ leadlag.current_build() }} as build_number,
    person_key
from person
{%- endif %}
-- depends_on: {{ ref('int_engagement__rep') }}
-- depends_on: {{ ref('int_engagement__person_account') }}
-- depends_on: {{ ref('int_input__clock') }}
-- depends_on: {{ ref('int_input__campaign_checked') }}
-- depends_on: {{ ref('int_input__status_event_checked') }}
-- depends_on: {{ ref('int_input__opportunity_stage_event_checked') }}
-- depends_on: {{ ref('int_input__touchpoint_checked') }}
-- depends_on: {{ ref('int_input__opportunity_checked') }}
-- depends_on: {{ ref('int_input__activity_checked') }}
-- depends_on: {{ ref('int_input__lead_record_checked') }}
-- depends_on: {{ ref('int_identity__email_person') }}
-- depends_on: {{ ref('int_identity__visitor_person') }}
