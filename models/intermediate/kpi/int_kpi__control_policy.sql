{{ config(materialized='view') }}

with candidate as (

    select
        definition.kpi,
        definition.version,
        definition.variant,
        definition.statistic,
        definition.scope_region,
        definition.scope_product_line,
        chart.cut_name,
        chart.period_grain,
        case
            when chart.chart_type <> 'auto' then chart.chart_type
            when definition.statistic = 'rate' then 'laney_p'
            when definition.statistic = 'count' then 'laney_u'
            else 'xmr'
        end as chart_type,
        chart.baseline_periods,
        chart.minimum_periods,
        chart.minimum_expected,
        chart.effect_periods,
        chart.nelson_rules,
        row_number() over (
            partition by definition.kpi, definition.version, definition.variant, chart.cut_name, chart.period_grain
            order by case when chart.kpi = '*' then 1 else 0 end
        ) as candidate_rank
    from {{ ref('int_kpi__definition') }} as definition
    inner join {{ ref('control_chart') }} as chart on chart.kpi in ('*', definition.kpi)

)

select
    kpi,
    version,
    variant,
    statistic,
    scope_region,
    scope_product_line,
    cut_name,
    period_grain,
    chart_type,
    baseline_periods,
    minimum_periods,
    minimum_expected,
    effect_periods,
    nelson_rules
from candidate
where candidate_rank = 1
