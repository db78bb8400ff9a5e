{#- The attributes by which KPIs can be cut. -#}
{% macro segment_attributes() -%}
    {{ return(['region', 'product_line', 'lead_source', 'first_channel', 'journey_type']) }}
{%- endmacro %}


{#- The attributes as columns, with '(not recorded)' for what nobody recorded, and their key. values: attribute -> SQL expression of it;
    what is not given is not recorded. -#}
{% macro segment_columns(values) -%}
    {%- set expressions = [] -%}
    {%- for attribute in leadlag.segment_attributes() -%}
        {%- set expression = "coalesce(" ~ values[attribute] ~ ", '(not recorded)')" if attribute in values else "'(not recorded)'" -%}
        {%- do expressions.append(expression) -%}
        {{ expression }} as {{ attribute }},
    {% endfor -%}
    {{ leadlag.key(expressions) }} as segment_key
{%- endmacro %}
