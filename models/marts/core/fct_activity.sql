{{ leadlag.incremental('whole_persons', unique_key='activity_key') }}
{%- set since = leadlag.increment().since -%}

with activity as (

    select * from {{ ref('int_input__activity') }}
    {%- if since is not none %}
    where
        activity_key in {{ leadlag.changed_keys('activity', since) }}
        or lead_record_key in (
            select lead_record_key from {{ ref('int_identity__lead_record_person') }}
            where {{ leadlag.of_touched_persons(since) }}
        )
        or activity_key in (select activity_key from {{ this }} where {{ leadlag.of_touched_persons(since) }})
        or source_system || ':' || opportunity_source_id in {{ leadlag.changed_ids('opportunity', since) }}
        or source_system || ':' || rep_source_id in {{ leadlag.changed_ids('rep', since) }}
    {%- endif %}

),

contact as (

    select distinct activity.activity_key
    from activity
    inner join {{ ref('sales_contact_rule') }} as rule
        on
            activity.activity_type = rule.activity_type
            and (rule.direction = '*' or activity.direction = rule.direction)
            and (coalesce(activity.is_completed, false) or not rule.completed_only)
            and coalesce(activity.duration_seconds, 0) >= rule.min_duration_seconds

)

select
    activity.activity_key,
    person.person_key,
    journey.journey_key,
    opportunity.opportunity_key,
    rep.rep_key,
    activity.source_system,
    activity.source_table,
    activity.source_id,
    activity.occurred_at,
    activity.recorded_at,
    activity.activity_type,
    activity.direction,
    activity.outcome,
    activity.is_completed,
    activity.duration_seconds,
    contact.activity_key is not null as is_sales_contact
from activity
left join contact on activity.activity_key = contact.activity_key
left join {{ ref('int_identity__lead_record_person') }} as person
    on activity.lead_record_key = person.lead_record_key
left join {{ ref('int_lifecycle__journey') }} as journey
    on
        person.person_key = journey.person_key
        and activity.occurred_at > journey.owns_after
        and activity.occurred_at <= journey.owns_until
left join {{ ref('int_input__opportunity') }} as opportunity
    on activity.source_system = opportunity.source_system and activity.opportunity_source_id = opportunity.source_id
left join {{ ref('int_engagement__rep') }} as rep
    on activity.source_system = rep.source_system and activity.rep_source_id = rep.source_id
