{{ config(materialized='ephemeral') }}

{%- set row = ['health_rule', 'entity', 'source_table'] %}

{{ leadlag.violation(
    'health_rule', row,
    "coalesce(health_rule, '') not in ('low_volume_day', 'low_volume_week', 'high_volume_week', 'stalled_sync', 'missing_touchpoint',
        'without_owner', 'without_lead_source', 'without_utm', 'quarantined', 'lag_median', 'lag_p95')",
    'there is no such rule', 'Write one of the rules that the package ships'
) }}
union all
{{ leadlag.violation(
    'health_rule', row,
    "coalesce(entity, '') not in ('*', 'journey', 'lead_record', 'status_event', 'opportunity', 'opportunity_stage_event', 'touchpoint',
        'activity', 'campaign', 'spend', 'rep', 'identity_link', 'product_event', 'account') or coalesce(source_table, '') = ''",
    'entity is no entity of the input contract, or source_table is empty', 'Write an entity or *, and a table or *'
) }}
union all
{{ leadlag.violation(
    'health_rule', row + ['severity', 'warn_above', 'fail_above'],
    "coalesce(severity, '') not in ('none', 'warn', 'fail') or coalesce(warn_above, 0) <= 0 or fail_above < warn_above
        or (severity = 'fail' and fail_above is null)",
    'severity is unknown, or its thresholds are missing or in the wrong order',
    'severity: none, warn or fail; warn_above above 0; fail_above not below it, and given for severity fail'
) }}
union all
{{ leadlag.violation(
    'health_rule', row + ['period_days', 'history_periods', 'minimum_periods', 'minimum_rows', 'minimum_change'],
    'coalesce(period_days, 0) < 1 or coalesce(history_periods, 0) < 1 or coalesce(minimum_periods, 0) < 1
        or coalesce(minimum_rows, -1) < 0 or coalesce(minimum_change, -1) < 0',
    'a period, a history or a minimum is missing or too small',
    'period_days, history_periods and minimum_periods are 1 or more; minimum_rows and minimum_change 0 or more'
) }}
union all
{{ leadlag.repeated_policy_row('health_rule', row) }}
