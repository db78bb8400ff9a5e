{#- The tables that the companion writes, empty where there are none yet, so that models can read them; those of an earlier version get
    the columns that they lack and keep their rows. Columns are those that the YAML of the sources declares;
    python/leadlag/audit/results.py and python/leadlag/forecast/store.py have the same. -#}
{% macro create_companion_tables() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'retry', 'test'] -%}
        {%- for source_node in graph.sources.values() if source_node.package_name == 'leadlag' and source_node.source_name in ['audit', 'prediction'] -%}
            {%- set wanted = api.Relation.create(database=source_node.database, schema=source_node.schema, identifier=source_node.identifier) -%}
            {%- set there = leadlag.existing(wanted) -%}
            {%- if there is none -%}
                {%- do adapter.create_schema(wanted) -%}
                {%- set declared = [] -%}
                {%- for column in source_node.columns.values() -%}
                    {%- do declared.append(column.name ~ ' ' ~ leadlag.column_type(column.data_type)) -%}
                {%- endfor -%}
                {%- do run_query('create table ' ~ wanted ~ ' (' ~ declared | join(', ') ~ ')') -%}
            {#- The companion writes nothing on Spark. -#}
            {%- elif target.type != 'spark' -%}
                {%- set known = adapter.get_columns_in_relation(there) | map(attribute='name') | list -%}
                {%- for column in source_node.columns.values() if column.name not in known -%}
                    {%- do run_query('alter table ' ~ there ~ ' add column ' ~ column.name ~ ' ' ~ leadlag.column_type(column.data_type)) -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
