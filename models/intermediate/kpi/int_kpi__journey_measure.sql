{{ config(materialized='view') }}

-- measure: day on which it counts, which journeys, amount.
{%- set measures = {
    'inquiry': ['inquiry_date', 'true', 1],
    'mql': ['mql_date', 'true', 1],
    'sal': ['sal_date', 'true', 1],
    'sql': ['sql_date', 'true', 1],
    'opportunity': ['opportunity_date', 'true', 1],
    'won': ['won_date', 'true', 1],
    'ended': ['ended_date', 'true', 1],
    'disqualified': ['ended_date', "outcome = 'disqualified'", 1],
    'recycled': ['ended_date', "outcome = 'recycled'", 1],
    'decided': ['ended_date', "outcome in ('won', 'lost') and opportunity_date is not null", 1],
    'decided_won': ['ended_date', "outcome = 'won' and opportunity_date is not null", 1],
    'entered': ['entered_date', 'true', 1],
    'returning': ['entered_date', "journey_type = 'returning'", 1],
    'with_lead_source': ['entered_date', 'has_lead_source', 1],
    'with_owner': ['entered_date', 'has_owner', 1],
    'with_region': ['entered_date', 'has_region', 1],
    'with_touchpoint': ['entered_date', 'has_touchpoint', 1],
    'won_unattributed': ['won_date', 'not has_path', 1],
    'mql_due': ['mql_date', 'true', 1],
    'mql_contacted': ['mql_date', 'is_contact_due and hours_to_contact <= 24', 1],
    'hours_to_contact': ['contact_date', 'hours_to_contact is not null', 'hours_to_contact'],
    'days_mql_to_sql': ['sql_date', 'days_mql_to_sql >= 0', 'days_mql_to_sql'],
    'days_to_win': ['won_date', 'days_to_win >= 0', 'days_to_win'],
} %}

{% for measure, (day, condition, amount) in measures.items() -%}
select
    '{{ measure }}' as measure,
    'journey' as subject,
    journey_key as subject_key,
    journey_key,
    segment_key,
    {{ day }} as measured_date,
    {{ leadlag.double(amount) }} as amount,
    {{ 'is_contact_due' if measure == 'mql_due' else 'true' }} as is_counted,
    {{ 'not is_contact_due' if measure == 'mql_due' else 'false' }} as is_pending
from {{ ref('int_kpi__journey') }}
where {{ day }} is not null and {{ condition }}
{{ 'union all' if not loop.last }}
{% endfor %}
