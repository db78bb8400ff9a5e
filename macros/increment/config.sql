{#- Config of a model that `dbt build` brings up to date instead of making it anew. Strategies (strategy.sql):
      changed_rows   the input of one entity: rows whose delivered content changed;
      difference     computed whole, replaced where it differs: small models whose changes must be known downstream. No two rows are equal;
                     unique_key is a column that is never null;
      whole_persons  everything of the persons whose input changed; unique_key names rows that may have no person.
    Spark makes every table anew: its files cannot change in place. -#}
{% macro incremental(strategy, unique_key=none) %}
    {#- What the strategies read. A unit test, which gives a model its inputs, would ask for these too. -#}
    {%- if model.resource_type != 'unit_test' -%}
        {%- do ref('int_policy__fingerprint') -%}
        {%- if strategy == 'whole_persons' -%}
            {%- do ref('int_increment__person') -%}
        {%- endif -%}
    {%- endif -%}
    {%- if target.type == 'spark' -%}
        {{ config(materialized='table') }}
    {%- else -%}
        {{ config(materialized='incremental', incremental_strategy=strategy, unique_key=unique_key, on_schema_change='fail') }}
    {%- endif -%}
{% endmacro %}
