{# min_value and max_value may be SQL expressions, other columns included. A null is in every range. #}
{% test accepted_range(model, column_name, min_value=none, max_value=none, inclusive=true) %}

    {%- set bound = '=' if inclusive else '' -%}

    select *
    from {{ model }}
    where
        false
        {%- if min_value is not none %}
        or not ({{ column_name }} >{{ bound }} {{ min_value }})
        {%- endif %}
        {%- if max_value is not none %}
        or not ({{ column_name }} <{{ bound }} {{ max_value }})
        {%- endif %}

{% endtest %}
