{%- set entities = [
    'lead_record', 'status_event', 'opportunity', 'opportunity_stage_event', 'touchpoint', 'activity',
    'campaign', 'spend', 'rep', 'identity_link', 'product_event', 'account',
] -%}

with refused as (

    {% for entity in entities %}
    select
        '{{ entity }}' as entity,
        {{ entity }}_key as row_key,
        source_system,
        source_table,
        source_id,
        quarantine_rule,
        quarantine_column,
        case when quarantine_column = 'occurred_at' then occurred_at_raw end as delivered_value,
        occurred_at,
        known_at
    from {{ ref('int_input__' ~ entity ~ '_checked') }}
    where quarantine_rule is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    refused.entity,
    refused.row_key,
    refused.source_system,
    refused.source_table,
    refused.source_id,
    refused.quarantine_rule,
    refused.quarantine_column,
    refused.delivered_value,
    rule.meaning as rule_meaning,
    rule.remedy,
    refused.occurred_at,
    refused.known_at
from refused
left join {{ ref('quarantine_rule') }} as rule on refused.quarantine_rule = rule.quarantine_rule
cross join {{ ref('int_input__clock') }} as clock
where refused.known_at <= clock.as_of or refused.known_at is null
