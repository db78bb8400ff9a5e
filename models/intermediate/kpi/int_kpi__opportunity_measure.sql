{{ config(materialized='view') }}

-- measure: day on which it counts, which opportunities, amount.
{%- set measures = {
    'opportunity_amount': ['created_date', 'amount is not null', 'amount'],
    'won_amount': ['won_date', 'amount is not null', 'amount'],
    'gross_margin': ['won_date', 'gross_margin is not null', 'gross_margin'],
    'new_account': ['won_date', 'is_first_of_account', 1],
} %}

{% for measure, (day, condition, amount) in measures.items() -%}
select
    '{{ measure }}' as measure,
    'opportunity' as subject,
    opportunity_key as subject_key,
    journey_key,
    segment_key,
    {{ day }} as measured_date,
    {{ leadlag.double(amount) }} as amount,
    true as is_counted,
    false as is_pending
from {{ ref('int_kpi__opportunity') }}
where {{ day }} is not null and {{ condition }}
{{ 'union all' if not loop.last }}
{% endfor %}
