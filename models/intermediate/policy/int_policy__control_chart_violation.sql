{{ config(materialized='ephemeral') }}

{%- set chart = ['kpi', 'cut_name', 'period_grain'] -%}
{%- set unknown_kpi = "kpi <> '*' and kpi not in (select known.kpi from " ~ ref('kpi') ~ " as known)" -%}

{{ leadlag.violation(
    'control_chart', chart, "kpi is null or " ~ unknown_kpi, 'no such KPI', 'Write a KPI of kpi.csv, or * for all'
) }}
union all
{{ leadlag.violation(
    'control_chart', chart + ['chart_type'],
    "coalesce(chart_type, '') not in ('auto', 'p', 'laney_p', 'u', 'laney_u', 'xmr')
        or coalesce(period_grain, '') not in ('week', 'month', 'quarter')",
    'an unknown chart_type or period_grain', 'chart_type: auto, p, laney_p, u, laney_u or xmr; period_grain: week, month or quarter'
) }}
union all
{{ leadlag.violation(
    'control_chart', chart + ['baseline_periods', 'minimum_periods', 'minimum_expected', 'effect_periods'],
    "baseline_periods is null or coalesce(minimum_periods, 0) < 3 or minimum_periods > baseline_periods
        or coalesce(minimum_expected, -1) < 0 or coalesce(effect_periods, 0) < 3",
    'the numbers of periods or events are missing or contradict',
    'minimum_periods: 3 to baseline_periods; effect_periods: 3 or more; minimum_expected: 0 or more'
) }}
union all
{{ leadlag.violation(
    'control_chart', chart + ['nelson_rules'],
    "coalesce(replace(translate(nelson_rules, '12345678', 'xxxxxxxx'), 'x|', ''), '') <> 'x'",
    'the rules are no list of numbers from 1 to 8', 'Join them by a bar, such as 1|2'
) }}
union all
{{ leadlag.repeated_policy_row('control_chart', chart) }}
union all
select
    'seeds/policy/control_chart.csv' as seed_file,
    chart.kpi || ', ' || coalesce(chart.cut_name, '(empty)') || ', ' || chart.period_grain as policy_row,
    'fct_kpi has no such cut at this grain' as rule,
    'Write total, or a cut of kpi_cut.csv such as region x lead_source, and a grain not below its finest_grain' as remedy
from {{ ref('control_chart') }} as chart
left join {{ ref('kpi_cut') }} as kpi_cut
    on
        chart.cut_name = kpi_cut.cut || coalesce(' x ' || kpi_cut.second_cut, '')
        and (chart.kpi in ('*', kpi_cut.kpi) or kpi_cut.kpi = '*')
        and (
            kpi_cut.finest_grain = 'week'
            or chart.period_grain = kpi_cut.finest_grain
            or (chart.period_grain = 'quarter' and kpi_cut.finest_grain = 'month')
        )
where coalesce(chart.cut_name, '') <> 'total' and kpi_cut.cut is null
union all
select
    'seeds/policy/control_chart.csv' as seed_file,
    chart.kpi || ', ' || chart.cut_name || ', ' || chart.period_grain || ', ' || chart.chart_type as policy_row,
    'the chart does not suit every KPI of the row' as rule,
    'p and laney_p: a rate; u and laney_u: a count; xmr and auto suit all' as remedy
from {{ ref('control_chart') }} as chart
left join {{ ref('kpi') }} as kpi on chart.kpi = kpi.kpi
where
    (chart.chart_type in ('p', 'laney_p') and coalesce(kpi.statistic, '*') <> 'rate')
    or (chart.chart_type in ('u', 'laney_u') and coalesce(kpi.statistic, '*') <> 'count')
union all
{{ leadlag.violation(
    'org_change', ['org_change', 'changed_on', 'region', 'product_line', 'kpi'],
    "coalesce(trim(org_change), '') = '' or changed_on is null or region is null or product_line is null or kpi is null or " ~ unknown_kpi,
    'no name, no day, no scope, or no such KPI', 'Write * for all regions, product lines or KPIs, and a KPI as in kpi.csv'
) }}
union all
{{ leadlag.violation(
    'org_change', ['org_change', 'description', 'owner'],
    "coalesce(trim(description), '') = '' or coalesce(trim(owner), '') = ''",
    'no description or no owner', 'Say what changed and who knows about it'
) }}
union all
{{ leadlag.repeated_policy_row('org_change', ['org_change']) }}
