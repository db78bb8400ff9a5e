{%- set grains = {'week': ['day', 7], 'month': ['month', 1], 'quarter': ['month', 3]} -%}

with day as (

    select dim_date.*
    from {{ ref('dim_date') }} as dim_date
    cross join {{ ref('int_input__clock') }} as clock
    where dim_date.date_day <= clock.as_of_date

)

{% for grain, (unit, count) in grains.items() -%}
select
    '{{ grain }}' as period_grain,
    {{ grain }}_start as period_start,
    cast({{ dbt.dateadd(unit, count, grain ~ '_start') }} as date) as next_period_start
from day
group by {{ grain }}_start
{{ 'union all' if not loop.last }}
{% endfor %}
