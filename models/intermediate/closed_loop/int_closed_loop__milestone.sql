{{ config(materialized='view') }}

{% for milestone in ['inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won'] -%}
select
    journey_key,
    person_key,
    '{{ milestone }}' as milestone,
    {{ milestone }}_at as reached_at
from {{ ref('fct_journey') }}
where {{ milestone }}_at is not null
{{ 'union all' if not loop.last }}
{% endfor %}
