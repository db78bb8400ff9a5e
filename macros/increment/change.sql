{#- lead_record of int_input__lead_record_checked. -#}
{% macro entity_of(model_name) %}
    {{ return(model_name | replace('int_input__', '') | replace('_checked', '')) }}
{% endmacro %}


{#- What a changed row of a model changes downstream: kind, and the key or the text id of what is touched. -#}
{% macro changes_of(model_name) %}
    {%- set id = "source_system || ':' || source_id" -%}
    {%- set record = ['lead_record', 'lead_record_key', none] -%}
    {{ return({
        'int_input__lead_record_checked': [record],
        'int_input__status_event_checked': [record],
        'int_input__opportunity_checked': [record, ['opportunity', 'opportunity_key', id]],
        'int_input__opportunity_stage_event_checked': [['opportunity', 'opportunity_key', none]],
        'int_input__touchpoint_checked': [record, ['touchpoint', 'touchpoint_key', none], ['email', 'email_key', none], ['visitor', none, 'visitor_id']],
        'int_input__activity_checked': [record, ['activity', 'activity_key', none]],
        'int_input__campaign_checked': [['campaign', none, id]],
        'int_identity__lead_record_person': [['person', 'person_key', none]],
        'int_identity__email_person': [['person', 'person_key', none]],
        'int_identity__visitor_person': [['person', 'person_key', none]],
        'int_engagement__person_account': [['person', 'person_key', none]],
        'int_engagement__rep': [['rep', none, id]],
    }.get(model_name, [])) }}
{% endmacro %}


{#- Writes down what the rows of a relation touch. -#}
{% macro note_changes(changes, rows) -%}
    {%- for kind, key, id in changes %}
    insert into {{ leadlag.build_table('change') }}
    select distinct {{ leadlag.current_build() }}, '{{ kind }}', {{ key or 'cast(null as bigint)' }}, {{ id or 'cast(null as ' ~ dbt.type_string() ~ ')' }}
    from {{ rows }} as changed
    where {{ key or id }} is not null;
    {%- endfor %}
{%- endmacro %}


{#- Keys, or text ids, of one kind that have changed since a build. -#}
{% macro changed_keys(kind, since) -%}
    (select change_key from {{ leadlag.build_table('change') }} where kind = '{{ kind }}' and change_key is not null and build_number > {{ since }})
{%- endmacro %}

{% macro changed_ids(kind, since) -%}
    (select change_id from {{ leadlag.build_table('change') }} where kind = '{{ kind }}' and change_id is not null and build_number > {{ since }})
{%- endmacro %}


{#- Persons whose input has changed since a build. -#}
{% macro touched_persons(since) -%}
    (select person_key from {{ ref('int_increment__person') }} where build_number > {{ since }})
{%- endmacro %}


{#- Condition that keeps to what has to be computed: everything when `since` is none. -#}
{% macro of_touched_persons(since, column='person_key') -%}
    {% if since is none %}true{% else %}{{ column }} in {{ leadlag.touched_persons(since) }}{% endif %}
{%- endmacro %}
