{%- set grains = ['week', 'month', 'quarter'] -%}
{%- set sums = ['row_count', 'amount', 'amount_squared', 'pending_count', 'weighted_count', 'weighted_amount'] -%}

-- The piece of a week that lies in one month: weeks and months are both made of such pieces.
with piece as (

    select
        measure.measure,
        measure.segment_key,
        greatest(
            cast({{ dbt.date_trunc('week', 'measure.measured_date') }} as date),
            cast({{ dbt.date_trunc('month', 'measure.measured_date') }} as date)
        ) as piece_start,
        count(case when measure.is_counted then 1 end) as row_count,
        sum(case when measure.is_counted then measure.amount else 0 end) as amount,
        sum(case when measure.is_counted then measure.amount * measure.amount else 0 end) as amount_squared,
        count(case when measure.is_pending then 1 end) as pending_count
    from {{ ref('int_kpi__measure') }} as measure
    where measure.measure in (select measure from {{ ref('int_kpi__use') }})
    group by 1, 2, 3

),

segment_use as (

    select
        segment.segment_key,
        use.measure,
        use.scope_region,
        use.scope_product_line,
        use.weight_scheme,
        use.has_segments,
        {{ leadlag.double('coalesce(weight.weight, 1)') }} as weight
    from {{ ref('int_kpi__use') }} as use
    inner join {{ ref('int_kpi__segment') }} as segment
        on
            use.scope_region in ('*', segment.region)
            and use.scope_product_line in ('*', segment.product_line)
    left join {{ ref('int_kpi__segment_weight') }} as weight
        on use.weight_scheme = weight.weight_scheme and segment.segment_key = weight.segment_key

),

cut as (

    select
        segment_use.measure,
        segment_use.scope_region,
        segment_use.scope_product_line,
        segment_use.weight_scheme,
        segment_cut.cut_name,
        segment_cut.cut_value,
        piece.piece_start,
        sum(piece.row_count) as row_count,
        sum(piece.amount) as amount,
        sum(piece.amount_squared) as amount_squared,
        sum(piece.pending_count) as pending_count,
        sum(piece.row_count * segment_use.weight) as weighted_count,
        sum(piece.amount * segment_use.weight) as weighted_amount
    from piece
    inner join segment_use on piece.measure = segment_use.measure and piece.segment_key = segment_use.segment_key
    inner join {{ ref('int_kpi__segment_cut') }} as segment_cut
        on segment_use.segment_key = segment_cut.segment_key and (segment_use.has_segments or segment_cut.cut_name = 'total')
    group by 1, 2, 3, 4, 5, 6, 7

),

dated as (

    select
        cut.*,
        {%- for grain in grains %}
        cast({{ dbt.date_trunc(grain, 'piece_start') }} as date) as {{ grain }}_start{{ ',' if not loop.last }}
        {%- endfor %}
    from cut

)

select
    measure,
    scope_region,
    scope_product_line,
    weight_scheme,
    cut_name,
    cut_value,
    case{% for grain in grains %} when grouping({{ grain }}_start) = 0 then '{{ grain }}'{% endfor %} end as period_grain,
    coalesce({% for grain in grains %}{{ grain }}_start{{ ', ' if not loop.last }}{% endfor %}) as period_start,
    {%- for name in sums %}
    {{ leadlag.double('sum(' ~ name ~ ')') }} as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from dated
group by grouping sets (
    {%- for grain in grains %}
    (measure, scope_region, scope_product_line, weight_scheme, cut_name, cut_value, {{ grain }}_start){{ ',' if not loop.last }}
    {%- endfor %}
)
