{#- Whether tables can be changed in place: not those of Spark in parquet, which therefore have no snapshots and no grants.
    snapshots/_snapshots.yml asks the same without this macro, since YAML cannot call one. -#}
{% macro tables_can_change() %}
    {{ return(target.type != 'spark' or var('spark_file_format', 'parquet') != 'parquet') }}
{% endmacro %}


{#- On-run-start: says once what the engine leaves out. -#}
{% macro say_what_is_off() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'retry', 'snapshot'] and not leadlag.tables_can_change() -%}
        {%- do log("leadlag: Spark cannot change tables in parquet in place, so snapshots and grants are off; var spark_file_format: "
            ~ "delta or iceberg, with their jars, switches them on", info=true) -%}
    {%- endif -%}
{% endmacro %}


{#- Post-hook of every table. PostgreSQL knows nothing of a new table's rows and then joins large ones by nested loops. -#}
{% macro refresh_statistics() %}
    {%- if target.type == 'postgres' and config.get('materialized') in ['table', 'incremental'] -%}
        analyze {{ this }}
    {%- endif -%}
{% endmacro %}


{#- Pre-hook of every model. PostgreSQL expects one row of a join by several columns of views, however many there are, and then
    compares all pairs; no table of this project has an index with which a nested loop could be the better way. -#}
{% macro avoid_nested_loops() %}
    {%- if target.type == 'postgres' -%}
        set local enable_nestloop = off
    {%- endif -%}
{% endmacro %}


{#- Working tables outlive their statement and nothing else: temporary where the engine has temporary tables; on Spark tables
    beside the model, which its post-hook drops. -#}
{% macro working_table(name) -%}
    {{ return(adapter.dispatch('working_table', 'leadlag')(name)) }}
{%- endmacro %}

{% macro default__working_table(name) -%}
    {{ return('leadlag_' ~ name) }}
{%- endmacro %}

{% macro spark__working_table(name) -%}
    {{ return(this.schema ~ '.leadlag_' ~ name) }}
{%- endmacro %}


{% macro create_working_table(name, sql) %}
    {% do adapter.dispatch('create_working_table', 'leadlag')(leadlag.working_table(name), sql) %}
{% endmacro %}

{% macro default__create_working_table(table, sql) %}
    {% do run_query('drop table if exists ' ~ table) %}
    {% do run_query('create temporary table ' ~ table ~ ' as ' ~ sql) %}
{% endmacro %}

{% macro spark__create_working_table(table, sql) %}
    {% do run_query('drop table if exists ' ~ table) %}
    {% do run_query('create table ' ~ table ~ ' using parquet as ' ~ sql) %}
{% endmacro %}


{#- The rows of one working table become those of another. -#}
{% macro replace_working_table(name, source) %}
    {% do adapter.dispatch('replace_working_table', 'leadlag')(leadlag.working_table(name), leadlag.working_table(source)) %}
{% endmacro %}

{% macro default__replace_working_table(table, source) %}
    {% do run_query('drop table if exists ' ~ table) %}
    {% do run_query('alter table ' ~ source ~ ' rename to ' ~ table) %}
{% endmacro %}


{% macro drop_working_tables(names) %}
    {% for name in names %}
        {% do run_query('drop table if exists ' ~ leadlag.working_table(name)) %}
    {% endfor %}
{% endmacro %}


{#- A type of the YAML as the engine spells it. -#}
{% macro column_type(type) -%}
    {{ return(adapter.dispatch('column_type', 'leadlag')(type)) }}
{%- endmacro %}

{% macro default__column_type(type) -%}
    {{ return(api.Column.translate_type(type)) }}
{%- endmacro %}

{% macro spark__column_type(type) -%}
    {{ return('double' if type == 'double precision' else type) }}
{%- endmacro %}


{#- Eight-byte floating point: dbt.type_float() is four bytes on DuckDB. -#}
{% macro type_double() -%}
    {{ return(leadlag.column_type('double precision')) }}
{%- endmacro %}


{#- The texts of a group in one, in their own order; dbt.listagg has no order on Spark. -#}
{% macro sorted_list(expression, delimiter) -%}
    {{ return(adapter.dispatch('sorted_list', 'leadlag')(expression, delimiter)) }}
{%- endmacro %}

{% macro default__sorted_list(expression, delimiter) -%}
    {{ return(dbt.listagg(expression, "'" ~ delimiter ~ "'", 'order by ' ~ leadlag.byte_order(expression))) }}
{%- endmacro %}

{% macro spark__sorted_list(expression, delimiter) -%}
    {{ return("nullif(array_join(array_sort(collect_list(" ~ expression ~ ")), '" ~ delimiter ~ "'), '')") }}
{%- endmacro %}


{#- Whether the whole text matches a regular expression. -#}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch('matches', 'leadlag')(text, "'^(' || " ~ pattern ~ " || ')$'")) }}
{%- endmacro %}

{% macro default__matches(text, pattern) -%}
    coalesce(regexp_matches({{ text }}, {{ pattern }}), false)
{%- endmacro %}

{% macro postgres__matches(text, pattern) -%}
    coalesce({{ text }} ~ ({{ pattern }}), false)
{%- endmacro %}

{% macro spark__matches(text, pattern) -%}
    coalesce({{ text }} rlike ({{ pattern }}), false)
{%- endmacro %}
