{%- set columns = ['user_agent', 'page_host', 'referrer_domain'] -%}

with occurring as (

    select distinct
        {%- for column in columns %}
        coalesce({{ column }}, '') as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_input__touchpoint') }}

),

combination as (

    select
        occurring.*,
        row_number() over (order by {{ columns | join(', ') }}) as row_key
    from occurring

),

matching as (

    {{ leadlag.first_rule('combination', columns, 'traffic_rule') }}

)

select
    {%- for column in columns %}
    combination.{{ column }},
    {%- endfor %}
    rule.traffic
from combination
inner join matching on combination.row_key = matching.row_key
inner join {{ ref('traffic_rule') }} as rule on matching.rule_order = rule.rule_order
where rule.traffic <> 'person'
