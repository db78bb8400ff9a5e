{#- Incremental strategies (config.sql). All end in the rows that a full build would have. Readers see the table before or after:
    everything happens in the transaction of the model. -#}

{% macro get_incremental_changed_rows_sql(arg_dict) %}
    {%- set key = leadlag.entity_of(model.name) ~ '_key' -%}
    {{ return(leadlag.apply_increment(arg_dict, leadlag.increment(), [key ~ ' in (select row_key from ' ~ leadlag.working_table('touched_row') ~ ')'])) }}
{% endmacro %}


{% macro get_incremental_whole_persons_sql(arg_dict) %}
    {%- set increment = leadlag.increment() -%}
    {%- set key = arg_dict.unique_key or 'person_key' -%}
    {%- set conditions = [
        'person_key in ' ~ leadlag.touched_persons(increment.since), key ~ ' in (select ' ~ key ~ ' from ' ~ arg_dict.temp_relation ~ ')'
    ] -%}
    {%- if arg_dict.unique_key -%}
        {%- do conditions.append(key ~ ' in ' ~ leadlag.changed_keys(key | replace('_key', ''), increment.since)) -%}
    {%- endif -%}
    {{ return(leadlag.apply_increment(arg_dict, increment, conditions)) }}
{% endmacro %}


{% macro get_incremental_touched_persons_sql(arg_dict) %}
    {{ return(leadlag.apply_increment(arg_dict, leadlag.increment(), [])) }}
{% endmacro %}


{#- Rows that the new result lacks go, rows that it has more come. -#}
{% macro get_incremental_difference_sql(arg_dict) %}
    {%- set target, result = arg_dict.target_relation, arg_dict.temp_relation -%}
    {%- set columns = arg_dict.dest_columns | map(attribute='quoted') | join(', ') -%}
    {%- set gone, come = leadlag.working_table('gone'), leadlag.working_table('come') -%}
    {#- Plain equality of the key, by which PostgreSQL can hash. -#}
    {%- set same = [target ~ '.' ~ arg_dict.unique_key ~ ' = gone.' ~ arg_dict.unique_key] -%}
    {%- for column in arg_dict.dest_columns -%}
        {%- do same.append(target ~ '.' ~ column.quoted ~ ' is not distinct from gone.' ~ column.quoted) -%}
    {%- endfor -%}
    {%- do leadlag.create_working_table('gone', 'select ' ~ columns ~ ' from ' ~ target ~ ' except select ' ~ columns ~ ' from ' ~ result) -%}
    {%- do leadlag.create_working_table('come', 'select ' ~ columns ~ ' from ' ~ result ~ ' except select ' ~ columns ~ ' from ' ~ target) -%}
    {%- set increment = leadlag.increment() %}
    delete from {{ target }} using {{ gone }} as gone where {{ same | join(' and ') }};
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ come }};
    {%- if increment.since is not none %}
        {%- for rows in [gone, come] %}
    {{ leadlag.note_changes(leadlag.changes_of(model.name), rows) }}
        {%- endfor %}
    {{ leadlag.note_increment() }}
    {%- endif %}
{% endmacro %}


{#- Deletes the rows for which one of the conditions holds and inserts the new ones; all of them when the model is made anew. -#}
{% macro apply_increment(arg_dict, increment, conditions) %}
    {%- set target, result = arg_dict.target_relation, arg_dict.temp_relation -%}
    {%- set columns = arg_dict.dest_columns | map(attribute='quoted') | join(', ') -%}
    {%- set changes = leadlag.changes_of(model.name) -%}
    {%- if increment.since is none %}
        {%- do log(model.name ~ ' is made anew: ' ~ (increment.reasons | join('; ') or 'nothing tells what it holds'), info=true) %}
    delete from {{ target }};
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ result }};
    {%- else %}
        {%- if changes %}
    {{ leadlag.note_changes(changes, '(select * from ' ~ target ~ ' where ' ~ conditions | join(' or ') ~ ')') }}
    {{ leadlag.note_changes(changes, result) }}
        {%- endif %}
        {%- for condition in conditions %}
    delete from {{ target }} where {{ condition }};
        {%- endfor %}
    insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ result }};
    {{ leadlag.note_increment() }}
    {%- endif %}
{% endmacro %}


{% macro note_increment() -%}
    update {{ leadlag.build_table('model_state') }} set increment_in = {{ leadlag.current_build() }} where model = '{{ model.unique_id }}';
{%- endmacro %}
