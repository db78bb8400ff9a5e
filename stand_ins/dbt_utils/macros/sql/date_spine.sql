{#
    One row a `datepart` from start_date (in) to end_date (out), in the column date_<datepart>.
    Numbers come from six decimal digits, so a spine is at most a million rows long.
#}
{% macro date_spine(datepart, start_date, end_date) -%}
    with digits as (
        {%- for digit in range(10) %}
        select {{ digit }} as digit{% if not loop.last %} union all{% endif %}
        {%- endfor %}
    ),

    steps as (
        select
            d0.digit + 10 * d1.digit + 100 * d2.digit + 1000 * d3.digit + 10000 * d4.digit + 100000 * d5.digit as step
        from digits as d0
        {%- for position in range(1, 6) %}
        cross join digits as d{{ position }}
        {%- endfor %}
    )

    select {{ dbt.dateadd(datepart, "step", start_date) }} as date_{{ datepart }}
    from steps
    where step < {{ dbt.datediff(start_date, end_date, datepart) }}
{%- endmacro %}
