with combination as (

    select distinct
        touchpoint_type,
        utm_source,
        utm_medium,
        referrer_domain,
        click_id_type
    from {{ ref('int_input__touchpoint') }}

),

-- A rule matches when each of its cells does; the first matching rule by rule_order decides.
matching as (

    select
        combination.touchpoint_type,
        combination.utm_source,
        combination.utm_medium,
        combination.referrer_domain,
        combination.click_id_type,
        min(rule.rule_order) as rule_order
    from combination
    inner join {{ ref('channel_rule') }} as rule
        on
            {%- for column in ['touchpoint_type', 'utm_source', 'utm_medium', 'referrer_domain', 'click_id_type'] %}
            {{ 'and ' if not loop.first }}case
                when rule.{{ column }} = '*' then true
                when coalesce(rule.{{ column }}, '') = '' then coalesce(combination.{{ column }}, '') = ''
                else coalesce(lower(combination.{{ column }}), '') like lower(rule.{{ column }})
            end
            {%- endfor %}
    group by
        combination.touchpoint_type,
        combination.utm_source,
        combination.utm_medium,
        combination.referrer_domain,
        combination.click_id_type

)

select
    {{ leadlag.key([
        'matching.touchpoint_type', 'matching.utm_source', 'matching.utm_medium', 'matching.referrer_domain', 'matching.click_id_type',
    ]) }} as channel_key,
    matching.touchpoint_type,
    matching.utm_source,
    matching.utm_medium,
    matching.referrer_domain,
    matching.click_id_type,
    rule.channel,
    rule.is_paid
from matching
inner join {{ ref('channel_rule') }} as rule on matching.rule_order = rule.rule_order
