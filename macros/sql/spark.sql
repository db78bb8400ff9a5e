{#- Overrides of dbt's own macros for Spark. dbt asks a package for these only when the consumer's dbt_project.yml says
    `dispatch: [{macro_namespace: dbt, search_order: [<their project>, leadlag, dbt]}]`. -#}

{#- Rows of a seed as literals: method session quotes nothing and makes the text None of an empty cell. -#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set types = [] -%}
    {%- for name in agate_table.column_names -%}
        {%- do types.append(model['config'].get('column_types', {}).get(name, adapter.convert_type(agate_table, loop.index0))) -%}
    {%- endfor -%}
    {%- set statements = [] -%}
    {%- for rows in agate_table.rows | batch(get_batch_size()) -%}
        {%- set tuples = [] -%}
        {%- for row in rows -%}
            {%- set values = [] -%}
            {%- for value in row -%}
                {%- do values.append('cast(' ~ leadlag.spark_literal(value) ~ ' as ' ~ types[loop.index0] ~ ')') -%}
            {%- endfor -%}
            {%- do tuples.append('(' ~ values | join(', ') ~ ')') -%}
        {%- endfor -%}
        {%- do statements.append('insert into ' ~ this.render() ~ ' values ' ~ tuples | join(', ')) -%}
        {%- do adapter.add_query(statements[-1], abridge_sql_log=True) -%}
    {%- endfor -%}
    {{ return(statements[0]) }}
{% endmacro %}

{% macro spark_literal(value) %}
    {%- if value is none -%}
        {{ return('null') }}
    {%- endif -%}
    {{ return("'" ~ (value | string).replace('\\', '\\\\').replace("'", "\\'") ~ "'") }}
{% endmacro %}


{#- The types of contracts: Spark's parser has no `double precision`. -#}
{% macro spark__cast(field, type) %}
    cast({{ field }} as {{ leadlag.column_type(type) }})
{% endmacro %}


{#- Grants: of a table that the engine cannot grant on, none; leadlag.say_what_is_off says so. -#}
{% macro spark__apply_grants(relation, grant_config, should_revoke=True) %}
    {%- if leadlag.tables_can_change() -%}
        {{ return(default__apply_grants(relation, grant_config, should_revoke)) }}
    {%- endif -%}
{% endmacro %}
