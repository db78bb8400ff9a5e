{% test equal_rowcount(model, compare_model) %}

    with here as (
        select count(*) as row_count from {{ model }}
    ),

    there as (
        select count(*) as row_count from {{ compare_model }}
    )

    select
        here.row_count as row_count,
        there.row_count as compared_row_count
    from here
    cross join there
    where here.row_count <> there.row_count

{% endtest %}
