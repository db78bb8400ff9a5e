{%- set kinds = {
    'call': {
        'occurred_at': 'occurred_at', 'raw': 'occurred_at_raw', 'direction': 'lower(direction)', 'outcome': 'coalesce(outcome, status)',
        'is_completed': "coalesce(upper(status) = 'COMPLETED', true)", 'duration': 'cast(round(duration_milliseconds / 1000.0) as bigint)',
    },
    'email': {
        'occurred_at': 'occurred_at', 'raw': 'occurred_at_raw', 'outcome': 'status',
        'direction': "case when upper(direction) = 'EMAIL' then 'outbound' when upper(direction) = 'INCOMING_EMAIL' then 'inbound' end",
        'is_completed': "coalesce(upper(status) not in ('FAILED', 'BOUNCED', 'SCHEDULED'), true)", 'duration': 'cast(null as bigint)',
    },
    'meeting': {
        'occurred_at': 'started_at', 'raw': 'started_at_raw', 'direction': 'cast(null as ' ~ dbt.type_string() ~ ')', 'outcome': 'outcome',
        'is_completed': "coalesce(upper(outcome) not in ('NO_SHOW', 'CANCELED', 'CANCELLED', 'RESCHEDULED'), true)",
        'duration': 'cast(' ~ leadlag.seconds_between('started_at', 'ended_at') ~ ' as bigint)',
    },
    'task': {
        'occurred_at': 'coalesce(completed_at, created_at)', 'raw': 'created_at_raw', 'outcome': 'status',
        'direction': 'cast(null as ' ~ dbt.type_string() ~ ')', 'duration': 'cast(null as bigint)',
        'is_completed': "coalesce(upper(status) = 'COMPLETED', completed_at is not null)",
    },
    'note': {
        'occurred_at': 'occurred_at', 'raw': 'occurred_at_raw', 'direction': 'cast(null as ' ~ dbt.type_string() ~ ')',
        'outcome': 'cast(null as ' ~ dbt.type_string() ~ ')', 'is_completed': 'true', 'duration': 'cast(null as bigint)',
    },
} -%}
with engagement as (
{% for kind, column in kinds.items() %}
    select
        'engagement_{{ kind }}' as source_table,
        engagement_id,
        {{ column.occurred_at }} as occurred_at,
        {{ column.raw }} as occurred_at_raw,
        created_at,
        loaded_at,
        owner_id,
        '{{ kind }}' as activity_type,
        {{ column.direction }} as direction,
        {{ column.outcome }} as outcome,
        {{ column.is_completed }} as is_completed,
        {{ column.duration }} as duration_seconds
    from {{ ref('stg_hubspot__engagement_' ~ kind) }}
    where not coalesce(is_deleted, false)
    {{ 'union all' if not loop.last }}
{%- endfor %}
),
{% for other in ['contact', 'deal', 'company'] %}
{% if loop.first %}-- An engagement counts once, for the lowest id; padded with zeros the order of texts is that of numbers.{% endif %}
engagement_{{ other }} as (

    select
        engagement_id,
        substr(min(lpad({{ other }}_id, 20, '0') || {{ other }}_id), 21) as {{ other }}_id
    from {{ ref('stg_hubspot__engagement_' ~ other) }}
    group by engagement_id

){{ ',' if not loop.last }}
{% endfor %}
select
    'hubspot' as source_system,
    engagement.source_table,
    engagement.engagement_id as source_id,
    engagement.occurred_at,
    engagement.occurred_at_raw,
    greatest(engagement.occurred_at, engagement.created_at) as recorded_at,
    case
        when engagement.activity_type <> 'meeting' or engagement.loaded_at >= engagement.occurred_at then engagement.loaded_at
    end as loaded_at,
    case when engagement_contact.contact_id is not null then 'contact' end as record_type,
    engagement_contact.contact_id as record_source_id,
    engagement_deal.deal_id as opportunity_source_id,
    engagement_company.company_id as account_source_id,
    engagement.owner_id as rep_source_id,
    engagement.activity_type,
    engagement.direction,
    engagement.outcome,
    engagement.is_completed,
    engagement.duration_seconds
from engagement
left join engagement_contact
    on engagement.engagement_id = engagement_contact.engagement_id
left join engagement_deal
    on engagement.engagement_id = engagement_deal.engagement_id
left join engagement_company
    on engagement.engagement_id = engagement_company.engagement_id
