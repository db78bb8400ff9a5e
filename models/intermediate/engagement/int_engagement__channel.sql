{%- set columns = ['touchpoint_type', 'utm_source', 'utm_medium', 'referrer_domain', 'click_id_type'] -%}

-- An empty text for null, so that touchpoints can be joined by plain equality, which every engine hashes.
with combination as (

    select distinct
        {%- for column in columns %}
        coalesce({{ column }}, '') as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_input__touchpoint') }}

),

-- A rule matches when each of its cells does; the first matching rule by rule_order decides.
matching as (

    select
        {%- for column in columns %}
        combination.{{ column }},
        {%- endfor %}
        min(rule.rule_order) as rule_order
    from combination
    inner join {{ ref('channel_rule') }} as rule
        on
            {%- for column in columns %}
            {{ 'and ' if not loop.first }}case
                when rule.{{ column }} = '*' then true
                when coalesce(rule.{{ column }}, '') = '' then combination.{{ column }} = ''
                else lower(combination.{{ column }}) like lower(rule.{{ column }})
            end
            {%- endfor %}
    group by
        {%- for column in columns %}
        combination.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}

)

select
    {%- for column in columns %}
    matching.{{ column }},
    {%- endfor %}
    rule.channel,
    rule.is_paid
from matching
inner join {{ ref('channel_rule') }} as rule on matching.rule_order = rule.rule_order
