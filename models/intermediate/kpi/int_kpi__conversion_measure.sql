{{ config(materialized='view') }}

{% for role, condition in {'entered': 'in_denominator or not is_mature', 'converted': 'in_numerator'}.items() -%}
select
    conversion_definition || '.{{ role }}' as measure,
    'journey' as subject,
    journey_key as subject_key,
    journey_key,
    segment_key,
    entered_date as measured_date,
    {{ leadlag.double(1) }} as amount,
    {{ 'in_denominator' if role == 'entered' else 'true' }} as is_counted,
    {{ 'not is_mature' if role == 'entered' else 'false' }} as is_pending
from {{ ref('int_kpi__conversion') }}
where {{ condition }}
{{ 'union all' if not loop.last }}
{% endfor %}
