{#- A working table that outlives its statement and nothing else: temporary where the engine has them. -#}
{% macro create_working_table(name, sql) %}
    {% do adapter.dispatch('create_working_table', 'leadlag')(name, sql) %}
{% endmacro %}

{% macro default__create_working_table(name, sql) %}
    {% do run_query('drop table if exists ' ~ name) %}
    {% do run_query('create temporary table ' ~ name ~ ' as ' ~ sql) %}
{% endmacro %}


{#- Eight-byte floating point: dbt.type_float() is four bytes on DuckDB. -#}
{% macro type_double() -%}
    {{ return('double' if target.type == 'spark' else 'double precision') }}
{%- endmacro %}
