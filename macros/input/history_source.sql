{#- Which table tells the stages of Salesforce opportunities: opportunity_history, opportunity_field_history or none.
    Var salesforce_opportunity_history_source decides; `auto` takes the first that has usable rows. A full-row copy of
    opportunity that a loader calls opportunity_history has no opportunity_id and is not usable. -#}
{% macro salesforce_opportunity_history_source(history, field_history) %}
    {%- set wanted = var('salesforce_opportunity_history_source', 'auto') -%}
    {%- set known = ['auto', 'opportunity_history', 'opportunity_field_history', 'none'] -%}
    {%- if wanted not in known -%}
        {{ exceptions.raise_compiler_error("var salesforce_opportunity_history_source: '" ~ wanted ~ "' is none of " ~ known | join(', ')) }}
    {%- endif -%}
    {%- if wanted != 'auto' -%}
        {{ return(wanted) }}
    {%- elif leadlag.has_rows(history, 'opportunity_id is not null') -%}
        {{ return('opportunity_history') }}
    {%- elif leadlag.has_rows(field_history, "opportunity_id is not null and lower(field_name) = 'stagename'") -%}
        {{ return('opportunity_field_history') }}
    {%- endif -%}
    {{ return('none') }}
{% endmacro %}


{#- Where the history of statuses of a CRM comes from: history (the loader's table) or snapshot (ours, for loaders that
    keep none). Var <connector>_status_source. -#}
{% macro status_source(connector) %}
    {%- set wanted = var(connector ~ '_status_source', 'history') -%}
    {%- if wanted not in ['history', 'snapshot'] -%}
        {{ exceptions.raise_compiler_error("var " ~ connector ~ "_status_source: '" ~ wanted ~ "' is neither history nor snapshot") }}
    {%- endif -%}
    {%- if wanted == 'snapshot' and not leadlag.tables_can_change() -%}
        {{ exceptions.raise_compiler_error("var " ~ connector ~ "_status_source: snapshot needs tables that can change in place; on Spark"
            ~ " set var spark_file_format: delta or iceberg") }}
    {%- endif -%}
    {{ return(wanted) }}
{% endmacro %}
