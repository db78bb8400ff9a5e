{{ config(materialized='ephemeral') }}

{%- set rule = ['escalation_level', 'measure', 'period_grain', 'cut_name', 'direction'] -%}
{%- set change = ['model', 'model_version'] %}

{{ leadlag.violation(
    'forecast_category_rule', ['forecast_category', 'minimum_probability'],
    "forecast_category is null or minimum_probability is null or minimum_probability < 0 or minimum_probability > 1",
    'no category, or no minimum_probability from 0 to 1', 'Fill it in'
) }}
union all
{{ leadlag.violation(
    'forecast_category_rule', ['forecast_category', 'minimum_probability'],
    "(select count(*) from " ~ ref('forecast_category_rule') ~ " where minimum_probability = 0) = 0",
    'no category takes opportunities of probability 0', 'Give one category minimum_probability 0'
) }}
union all
{{ leadlag.repeated_policy_row('forecast_category_rule', ['forecast_category']) }}
union all
{{ leadlag.repeated_policy_row('forecast_category_rule', ['minimum_probability']) }}
union all
{{ leadlag.violation(
    'forecast_escalation_rule', rule,
    "coalesce(escalation_level, 0) < 1 or coalesce(measure, '') not in ('*', 'mql', 'sql', 'opportunity', 'won', 'won_amount')
        or coalesce(period_grain, '') not in ('month', 'quarter') or coalesce(cut_name, '') not in ('total', 'region', 'product_line')
        or coalesce(direction, '') not in ('below', 'above') or coalesce(outside_interval, 0) not in (80, 95)
        or coalesce(minimum_share, -1) < 0 or coalesce(trim(owner), '') = ''",
    'an unknown measure, grain, cut, direction or interval, a level below 1, a minimum_share below 0, or no owner',
    'period_grain: month or quarter; direction: below or above; outside_interval: 80 or 95'
) }}
union all
{{ leadlag.repeated_policy_row('forecast_escalation_rule', rule) }}
union all
{{ leadlag.violation(
    'model_change', change,
    "model is null or model_version is null or coalesce(trim(what_changed), '') = '' or scope is null or metric is null
        or coalesce(better_when, '') not in ('lower', 'higher') or coalesce(trim(approved_by), '') = '' or approved_on is null
        or model_version = predecessor_version",
    'no model, version, change, scope, metric, approval or day of it, or a version that is its own predecessor',
    'better_when: lower or higher'
) }}
union all
{{ leadlag.repeated_policy_row('model_change', change) }}
