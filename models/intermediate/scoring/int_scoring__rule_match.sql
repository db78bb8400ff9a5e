{%- set cells = ['kind', 'detail', 'channel', 'page'] -%}
{%- set number = leadlag.try_number('occurring.detail', 'decimal(18,2)') -%}

with occurring as (

    select distinct subject, {{ cells | join(', ') }}
    from {{ ref('int_scoring__signal') }}

)

-- Several rows of a rule that match one signal are one match.
select distinct
    occurring.subject,
    {%- for cell in cells %}
    occurring.{{ cell }},
    {%- endfor %}
    rule.version,
    rule.score_rule,
    rule.points,
    rule.half_life_days,
    rule.maximum_points
from occurring
inner join {{ ref('lead_score_rule') }} as rule
    on
        occurring.subject = rule.subject
        {%- for cell in cells %}
        and (rule.{{ cell }} = '*' or lower(occurring.{{ cell }}) like lower(rule.{{ cell }}))
        {%- endfor %}
        and (rule.minimum is null or {{ number }} >= rule.minimum)
        and (rule.maximum is null or {{ number }} <= rule.maximum)
