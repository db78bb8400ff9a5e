{#- The tables that the companion writes, empty where there are none yet, so that models can read them. Their columns are those that
    the YAML of the sources declares, in their order; python/leadlag/audit/results.py and python/leadlag/forecast/store.py have the same. -#}
{% macro create_companion_tables() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'retry', 'test'] -%}
        {%- for source_node in graph.sources.values() if source_node.package_name == 'leadlag' and source_node.source_name in ['audit', 'prediction'] -%}
            {%- set wanted = api.Relation.create(database=source_node.database, schema=source_node.schema, identifier=source_node.identifier) -%}
            {%- if leadlag.existing(wanted) is none -%}
                {%- do adapter.create_schema(wanted) -%}
                {%- set declared = [] -%}
                {%- for column in source_node.columns.values() -%}
                    {%- do declared.append(column.name ~ ' ' ~ leadlag.column_type(column.data_type)) -%}
                {%- endfor -%}
                {%- do run_query('create table ' ~ wanted ~ ' (' ~ declared | join(', ') ~ ')') -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
