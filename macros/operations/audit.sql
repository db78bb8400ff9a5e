{#- The table to which `leadlag audit` adds its results, empty when there is none yet, so that models can read it.
    python/leadlag/audit/results.py has the same columns. -#}
{% macro create_audit_table() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'retry', 'test'] -%}
        {%- set source_node = graph.sources['source.leadlag.audit.data_quality_result'] -%}
        {%- set wanted = api.Relation.create(database=source_node.database, schema=source_node.schema, identifier=source_node.identifier) -%}
        {%- if leadlag.existing(wanted) is none -%}
            {%- do adapter.create_schema(wanted) -%}
            {%- set text, number = dbt.type_string(), dbt.type_bigint() -%}
            {%- set columns = {
                'run_at': 'timestamp', 'suite': text, 'schema_name': text, 'table_name': text, 'check_number': number,
                'column_name': text, 'expectation': text, 'rule': text, 'is_passed': 'boolean', 'observed': text,
                'checked_count': number, 'unexpected_count': number, 'unexpected_share': leadlag.type_double(),
                'tolerated_share': leadlag.type_double(), 'failing_keys': text, 'remedy': text,
            } -%}
            {%- set declared = [] -%}
            {%- for name, data_type in columns.items() -%}
                {%- do declared.append(name ~ ' ' ~ data_type) -%}
            {%- endfor -%}
            {%- do run_query('create table ' ~ wanted ~ ' (' ~ declared | join(', ') ~ ')') -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
