{%- set columns = ['touchpoint_type', 'utm_source', 'utm_medium', 'referrer_domain', 'click_id_type'] -%}

-- An empty text for null, so that touchpoints can be joined by plain equality, which every engine hashes.
with occurring as (

    select distinct
        {%- for column in columns %}
        coalesce({{ column }}, '') as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_input__touchpoint') }}

),

-- A misspelt link is asked for by the standard value.
combination as (

    select
        occurring.touchpoint_type,
        occurring.utm_source as occurring_source,
        occurring.utm_medium as occurring_medium,
        coalesce(source_alias.standard, occurring.utm_source) as utm_source,
        coalesce(medium_alias.standard, occurring.utm_medium) as utm_medium,
        occurring.referrer_domain,
        occurring.click_id_type,
        row_number() over (order by {% for column in columns %}occurring.{{ column }}{{ ', ' if not loop.last }}{% endfor %}) as row_key
    from occurring
    left join {{ ref('utm_alias') }} as source_alias
        on source_alias.parameter = 'utm_source' and lower(trim(occurring.utm_source)) = source_alias.alias
    left join {{ ref('utm_alias') }} as medium_alias
        on medium_alias.parameter = 'utm_medium' and lower(trim(occurring.utm_medium)) = medium_alias.alias

),

matching as (

    {{ leadlag.first_rule('combination', columns, 'channel_rule') }}

)

select
    combination.touchpoint_type,
    combination.occurring_source as utm_source,
    combination.occurring_medium as utm_medium,
    combination.referrer_domain,
    combination.click_id_type,
    rule.channel,
    rule.is_paid
from combination
inner join matching on combination.row_key = matching.row_key
inner join {{ ref('channel_rule') }} as rule on matching.rule_order = rule.rule_order
