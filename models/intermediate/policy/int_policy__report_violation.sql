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
union all
{{ leadlag.violation(
    'target_market', ['target_market', 'valid_from', 'addressable_accounts'],
    'target_market is null or region is null or industry is null or valid_from is null or coalesce(addressable_accounts, 0) < 1',
    'no market, region, industry or valid_from, or addressable_accounts below 1', 'Write * for all regions or industries'
) }}
union all
{{ leadlag.repeated_policy_row('target_market', ['target_market', 'valid_from']) }}
union all
{{ leadlag.violation(
    'cycle_window', ['conversion_definition', 'cut_name', 'cycle_multiple', 'minimum_conversions'],
    "conversion_definition is null or coalesce(cut_name, '') not in ('region', 'product_line') or coalesce(cycle_multiple, 0) <= 0
        or coalesce(minimum_conversions, 0) < 1",
    'no definition, another cut than region or product_line, or a multiple or minimum that is not above 0',
    'cut_name: region or product_line'
) }}
union all
{{ leadlag.repeated_policy_row('cycle_window', ['conversion_definition', 'cut_name']) }}
