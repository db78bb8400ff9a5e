{%- set grains = ['week', 'month', 'quarter'] -%}
{%- set sums = ['row_count', 'amount', 'amount_squared', 'pending_count', 'weighted_count', 'weighted_amount'] -%}

with dated as (

    select
        piece.*,
        {%- for grain in grains %}
        cast({{ dbt.date_trunc(grain, 'piece_start') }} as date) as {{ grain }}_start{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_kpi__measure_piece') }} as piece

)

select
    use_key,
    cut_key,
    case{% for grain in grains %} when grouping({{ grain }}_start) = 0 then '{{ grain }}'{% endfor %} end as period_grain,
    coalesce({% for grain in grains %}{{ grain }}_start{{ ', ' if not loop.last }}{% endfor %}) as period_start,
    {%- for name in sums %}
    {{ leadlag.double('sum(' ~ name ~ ')') }} as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from dated
group by grouping sets (
    {%- for grain in grains %}
    (use_key, cut_key, {{ grain }}_start){{ ',' if not loop.last }}
    {%- endfor %}
)
