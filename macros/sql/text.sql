{#- The texts of a group in alphabetical order as one, separated by commas; null without any. dbt.listagg does not sort on Spark. -#}
{% macro text_list(text) -%}
    {{ return(adapter.dispatch('text_list', 'leadlag')(text)) }}
{%- endmacro %}

{% macro default__text_list(text) -%}
    string_agg({{ text }}, ', ' order by {{ leadlag.byte_order(text) }})
{%- endmacro %}

{% macro spark__text_list(text) -%}
    nullif(array_join(array_sort(collect_list({{ text }})), ', '), '')
{%- endmacro %}
