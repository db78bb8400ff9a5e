{#- The rows of a relation whose columns match a rule of the seed, with the lowest matching rule_order. A cell matches by LIKE without
    case; * matches anything, an empty cell only an empty text. -#}
{% macro first_rule(relation, columns, rule) -%}
    select
        {{ relation }}.row_key,
        min({{ rule }}.rule_order) as rule_order
    from {{ relation }}
    inner join {{ ref(rule) }} as {{ rule }}
        on
            {%- for column in columns %}
            {{ 'and ' if not loop.first }}case
                when {{ rule }}.{{ column }} = '*' then true
                when coalesce({{ rule }}.{{ column }}, '') = '' then {{ relation }}.{{ column }} = ''
                else lower({{ relation }}.{{ column }}) like lower({{ rule }}.{{ column }})
            end
            {%- endfor %}
    group by {{ relation }}.row_key
{%- endmacro %}
