{# Referential integrity between the rows that meet from_condition and those that meet to_condition; a null refers to nothing and passes. #}
{% test relationships_where(model, column_name, to, field, from_condition="1=1", to_condition="1=1") %}

    with children as (
        select {{ column_name }} as reference
        from {{ model }}
        where {{ from_condition }}
    ),

    parents as (
        select {{ field }} as referenced
        from {{ to }}
        where {{ to_condition }}
    )

    select children.reference
    from children
    left join parents on children.reference = parents.referenced
    where
        children.reference is not null
        and parents.referenced is null

{% endtest %}
