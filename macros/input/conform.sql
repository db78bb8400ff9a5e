{#- The columns of a source table as seeds/policy/field_map.csv names and types them. A column that the table lacks is a
    typed null, an absent optional table an empty relation. `raw` names the time whose delivered text is kept as <raw>_raw. -#}
{% macro conform(connector, source_table, raw=none) %}
    {%- set delivered = source(connector, source_table) -%}
    {%- set field_map = ref('field_map') -%}
    {%- if not execute %}
    select 1 as not_compiled
    {%- else -%}
    {%- set relation = leadlag.existing(delivered) -%}
    {%- if relation is none and leadlag.is_building() and leadlag.is_required(connector, source_table) -%}
        {{ exceptions.raise_compiler_error(leadlag.missing_table_message(connector, source_table, delivered)) }}
    {%- endif -%}
    {%- set fields = leadlag.mapped_fields(connector, source_table, field_map) -%}
    {%- if not fields %}
    {#- Compiling on an empty warehouse, for the docs or a linter. -#}
    select 1 as field_map_is_not_seeded
    {%- else %}
    {%- set present = {} -%}
    {%- if relation is not none -%}
        {%- for column in adapter.get_columns_in_relation(relation) -%}
            {%- if leadlag.plain_name(column.name) not in present -%}
                {%- do present.update({leadlag.plain_name(column.name): column}) -%}
            {%- endif -%}
            {%- do present.update({'exactly ' ~ column.name | lower: column}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- set timezone = var(connector ~ '_timezone', none) %}
    select
        {%- for field in fields %}
        {%- set column = leadlag.first_present(field.source_column, present) %}
        {{ leadlag.conformed_column(column, field.data_type, timezone) }} as {{ field.staging_column }}
        {%- if field.staging_column == raw %},
        {{ leadlag.delivered_text(column) }} as {{ field.staging_column }}_raw
        {%- endif %}
        {{- ',' if not loop.last }}
        {%- endfor %}
    {%- if relation is none %}
    where 1 = 0
    {%- else %}
    from {{ delivered }}
    {%- endif %}
    {%- endif %}
    {%- endif %}
{% endmacro %}


{#- One error message for each required table of a connector that is on and whose table does not exist. -#}
{% macro missing_required_tables() %}
    {%- set messages = [] -%}
    {%- if execute -%}
        {%- for node in graph.sources.values() | selectattr('package_name', 'equalto', 'leadlag') | sort(attribute='unique_id') -%}
            {%- if leadlag.is_required(node.source_name, node.name) -%}
                {%- set wanted = api.Relation.create(database=node.database, schema=node.schema, identifier=node.identifier) -%}
                {%- if leadlag.existing(wanted) is none -%}
                    {%- do messages.append(leadlag.missing_table_message(node.source_name, node.name, wanted)) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(messages) }}
{% endmacro %}


{#- What to do about a required table that is not there. -#}
{% macro missing_table_message(connector, source_table, relation) %}
    {{ return(
        "connector " ~ connector ~ ": required table '" ~ relation.identifier ~ "' not found in schema '" ~ relation.schema ~ "'"
        ~ (" of database '" ~ relation.database ~ "'" if relation.database else "")
        ~ ". Load it, or set var " ~ connector ~ "_schema (and " ~ connector ~ "_database) to where the loader writes, or var "
        ~ connector ~ "_" ~ source_table ~ "_identifier to the table's name there, or take '" ~ connector ~ "' out of var connectors"
    ) }}
{% endmacro %}


{#- Whether the connector is worth nothing without the table: meta `required` in the YAML of the source. -#}
{% macro is_required(connector, source_table) %}
    {%- set node = graph.sources.get('source.leadlag.' ~ connector ~ '.' ~ source_table, {}) -%}
    {{ return(node.get('config', {}).get('meta', {}).get('required', false)) }}
{% endmacro %}


{#- Whether the command makes relations, so that a missing one is an error; compiling for docs or a linter is not. -#}
{% macro is_building() %}
    {{ return(flags.WHICH in ['build', 'run', 'retry', 'snapshot']) }}
{% endmacro %}


{#- The relation as the warehouse knows it, or none. -#}
{% macro existing(relation) %}
    {{ return(adapter.get_relation(database=relation.database, schema=relation.schema, identifier=relation.identifier)) }}
{% endmacro %}


{#- Rows of the field map for one source table; none when it is not seeded. -#}
{% macro mapped_fields(connector, source_table, field_map) %}
    {%- set fields = [] -%}
    {%- if leadlag.existing(field_map) is not none -%}
        {%- set query -%}
            select staging_column, source_column, data_type
            from {{ field_map }}
            where connector = '{{ connector }}' and source_table = '{{ source_table }}'
            order by staging_column
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- do fields.append({'staging_column': row[0], 'source_column': row[1], 'data_type': row[2]}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if not fields and leadlag.is_building() -%}
        {{ exceptions.raise_compiler_error("seed field_map has no row for table " ~ source_table ~ " of connector " ~ connector
            ~ ": load it with `dbt seed --select field_map`, and keep the rows of a table that you do not map") }}
    {%- endif -%}
    {{ return(fields) }}
{% endmacro %}


{#- A name as it is compared: without case, underscores and quotes, so that CreatedDate is created_date and X__c is x_c. -#}
{% macro plain_name(name) %}
    {{ return(name | lower | replace('_', '') | trim) }}
{% endmacro %}


{#- The first of the `|`-separated names that the table has, in this spelling or a like one; none when it has none. -#}
{% macro first_present(names, present) %}
    {%- for name in (names or '').split('|') -%}
        {%- for key in ['exactly ' ~ name | lower | trim, leadlag.plain_name(name)] if key in present -%}
            {{ return(present[key]) }}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(none) }}
{% endmacro %}


{#- text, instant (time with zone), naive (time without), date, boolean or number: what a column type holds. -#}
{% macro type_kind(column) %}
    {%- set type = column.dtype | lower -%}
    {%- if type.startswith('timestamp') or type.startswith('datetime') -%}
        {%- set zoned = 'with time zone' in type or 'tz' in type or (target.type == 'spark' and type == 'timestamp') -%}
        {{ return('instant' if zoned else 'naive') }}
    {%- elif type == 'date' -%}
        {{ return('date') }}
    {%- elif type.startswith('bool') -%}
        {{ return('boolean') }}
    {%- elif type.startswith(('int', 'bigint', 'smallint', 'tinyint', 'hugeint', 'ubigint', 'uint', 'num', 'dec', 'double', 'float', 'real', 'long')) -%}
        {{ return('number') }}
    {%- endif -%}
    {{ return('text') }}
{% endmacro %}


{#- One column cast to a type of the field map. An empty text is null: loaders of files know no other way to say so. -#}
{% macro conformed_column(column, data_type, timezone) %}
    {%- set types = {
        'string': dbt.type_string(), 'timestamp': 'timestamp', 'date': 'date',
        'numeric': 'decimal(18,2)', 'bigint': 'bigint', 'boolean': 'boolean',
    } -%}
    {%- if data_type not in types -%}
        {{ exceptions.raise_compiler_error("field_map: data_type '" ~ data_type ~ "' is none of " ~ types.keys() | join(', ')) }}
    {%- endif -%}
    {%- if column is none -%}
        {{ return('cast(null as ' ~ types[data_type] ~ ')') }}
    {%- endif -%}
    {%- set name = adapter.quote(column.name) -%}
    {%- set kind = leadlag.type_kind(column) -%}
    {%- set is_text = (column.dtype | lower).startswith(('varchar', 'char', 'text', 'string', 'bpchar')) -%}
    {%- set text = name if is_text else 'cast(' ~ name ~ ' as ' ~ types['string'] ~ ')' -%}
    {%- if data_type == 'string' -%}
        {{ return("nullif(" ~ text ~ ", '')" if kind == 'text' else text) }}
    {%- elif data_type in ['timestamp', 'date'] -%}
        {%- if kind == 'instant' -%}
            {%- set time = leadlag.instant_to_utc(name) -%}
        {%- elif kind == 'text' -%}
            {%- set time = leadlag.text_to_utc(text, timezone if data_type == 'timestamp' else none) -%}
        {%- elif kind in ['naive', 'date'] -%}
            {%- set time = leadlag.naive_to_utc('cast(' ~ name ~ ' as timestamp)', timezone if data_type == 'timestamp' else none) -%}
        {%- else -%}
            {%- set time = 'null' -%}
        {%- endif -%}
        {{ return('cast(' ~ time ~ ' as ' ~ data_type ~ ')') }}
    {%- elif data_type == 'boolean' -%}
        {%- if kind == 'boolean' -%}
            {{ return(name) }}
        {%- elif kind == 'number' -%}
            {{ return('(' ~ name ~ ' <> 0)') }}
        {%- endif -%}
        {{ return("case when lower(" ~ text ~ ") in ('true', 't', 'yes', 'y', '1') then true when lower(" ~ text
            ~ ") in ('false', 'f', 'no', 'n', '0') then false end") }}
    {%- endif -%}
    {{ return(leadlag.try_number(name if kind == 'number' else text, types[data_type])) }}
{% endmacro %}


{#- A time as it was delivered, when it was text; a typed column has nothing to explain. -#}
{% macro delivered_text(column) %}
    {%- if column is not none and leadlag.type_kind(column) == 'text' -%}
        {{ return('cast(' ~ adapter.quote(column.name) ~ ' as ' ~ dbt.type_string() ~ ')') }}
    {%- endif -%}
    {{ return('cast(null as ' ~ dbt.type_string() ~ ')') }}
{% endmacro %}


{#- Whether a relation exists and has a row for which the condition holds; false while nothing is built. -#}
{% macro has_rows(relation, condition) %}
    {%- if not execute or leadlag.existing(relation) is none -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(run_query('select 1 from ' ~ relation ~ ' where ' ~ condition ~ ' limit 1') | length > 0) }}
{% endmacro %}
