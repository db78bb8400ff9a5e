{# On a column the expression continues the column's name (">= 1"). Unknown (null) is not false: such a row passes. #}
{% test expression_is_true(model, expression, column_name=none) %}

    select *
    from {{ model }}
    where not ({{ column_name ~ ' ' if column_name is not none }}{{ expression }})

{% endtest %}
