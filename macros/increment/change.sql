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


{#- Working tables of a *_checked model: `candidate`, the delivered rows to judge again, and `touched_row`, their keys and those
    of rows that are no longer delivered. Rows are compared by content, so that no time stamp of a loader has to be trusted;
    what shares a key with a changed row is judged with it.
    parent: an entity whose change can change the judgement, with its key among the columns. -#}
{% macro find_touched_rows(entity, key, since, parent=none) %}
    {%- set delivered = leadlag.delivered(entity) -%}
    {%- set row_key, key_digest = entity ~ '_key', leadlag.row_digest(key) -%}
    {%- set changed, digest = leadlag.working_table('changed'), leadlag.working_table('digest') -%}
    {%- set candidate = leadlag.working_table('candidate') -%}
    {%- do leadlag.create_working_table('changed',
        'select row_digest, min(key_digest) as key_digest from (select row_digest, ' ~ key_digest ~ ' as key_digest, 1 as copies
        from (' ~ delivered ~ ') as delivered union all select row_digest, ' ~ key_digest ~ ', -1 from ' ~ this ~ ') as both_sides
        group by row_digest having sum(copies) <> 0') -%}
    {%- do leadlag.create_working_table('digest',
        'select row_digest from ' ~ changed ~ ' union select row_digest from ' ~ this ~ ' where ' ~ key_digest ~ ' in (select key_digest from '
        ~ changed ~ ')' ~ (' union select row_digest from ' ~ this ~ ' where ' ~ row_key ~ ' in (select ' ~ row_key ~ ' from ' ~ this ~ ' where '
        ~ parent ~ '_key in ' ~ leadlag.changed_keys(parent, since) ~ ')' if parent else '')) -%}
    {%- do leadlag.create_working_table('candidate',
        'select delivered.*, ' ~ leadlag.key(key) ~ ' as ' ~ row_key ~ ' from (' ~ delivered ~ ') as delivered
        where row_digest in (select row_digest from ' ~ digest ~ ')') -%}
    {%- do leadlag.create_working_table('touched_row',
        'select ' ~ row_key ~ ' as row_key from ' ~ candidate ~ ' union select ' ~ row_key ~ ' from ' ~ this
        ~ ' where row_digest in (select row_digest from ' ~ digest ~ ')') -%}
{% endmacro %}
