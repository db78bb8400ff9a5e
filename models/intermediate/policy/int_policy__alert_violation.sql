{{ config(materialized='ephemeral') }}

{%- set row = ['kpi', 'alert_kind', 'period_grain', 'cut_name'] %}

{{ leadlag.violation(
    'alert_rule', row + ['baseline_periods', 'cause_count'],
    "coalesce(alert_kind, '') not in ('threshold_breached', 'control_chart_signal')
        or coalesce(period_grain, '') not in ('week', 'month', 'quarter') or cut_name is null or kpi is null
        or (kpi <> '*' and kpi not in (select kpi from " ~ ref('kpi') ~ "))
        or coalesce(baseline_periods, 0) < 1 or coalesce(cause_count, -1) < 0",
    'no such KPI, kind or grain, no cut, or baseline_periods below 1 or cause_count below 0',
    'alert_kind: threshold_breached or control_chart_signal; cut_name as in fct_kpi'
) }}
union all
{{ leadlag.repeated_policy_row('alert_rule', row) }}
