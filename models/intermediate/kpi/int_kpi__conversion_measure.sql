{{ config(materialized='view') }}

{%- set roles = {'entered': 'conversion.in_denominator or not conversion.is_mature', 'converted': 'conversion.in_numerator'} %}

{% for role, condition in roles.items() -%}
select
    conversion.conversion_definition || '.{{ role }}' as measure,
    'journey' as subject,
    conversion.journey_key as subject_key,
    conversion.journey_key,
    journey.segment_key,
    conversion.entered_date as measured_date,
    {{ leadlag.double(1) }} as amount,
    {{ 'conversion.in_denominator' if role == 'entered' else 'true' }} as is_counted,
    {{ 'not conversion.is_mature' if role == 'entered' else 'false' }} as is_pending
from {{ ref('fct_conversion') }} as conversion
inner join {{ ref('int_kpi__journey') }} as journey on conversion.journey_key = journey.journey_key
where coalesce(conversion.why_not <> 'recycled_policy', true) and ({{ condition }})
{{ 'union all' if not loop.last }}
{% endfor %}
