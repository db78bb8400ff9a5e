with segmented as (

    select
        definition.kpi,
        min(case when measure.has_segments then 1 when measure.measure is null then 1 else 0 end) = 1 as has_segments
    from {{ ref('int_kpi__definition') }} as definition
    left join {{ ref('kpi_measure') }} as measure
        on measure.measure in (definition.numerator_measure, definition.denominator_measure)
    group by definition.kpi

),

cut as (

    select
        kpi,
        'total' as cut_name,
        'week' as finest_grain
    from segmented
    union all
    select
        segmented.kpi,
        kpi_cut.cut || coalesce(' x ' || kpi_cut.second_cut, '') as cut_name,
        kpi_cut.finest_grain
    from segmented
    inner join {{ ref('kpi_cut') }} as kpi_cut on kpi_cut.kpi in ('*', segmented.kpi)
    where segmented.has_segments

)

{% for grain, finest in {'week': "'week'", 'month': "'week', 'month'", 'quarter': "'week', 'month', 'quarter'"}.items() -%}
select
    kpi,
    cut_name,
    '{{ grain }}' as period_grain
from cut
where finest_grain in ({{ finest }})
{{ 'union' if not loop.last }}
{% endfor %}
