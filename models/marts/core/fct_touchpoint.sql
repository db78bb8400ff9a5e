{{ leadlag.incremental('whole_persons', unique_key='touchpoint_key') }}
{%- set since = leadlag.increment().since -%}

with touchpoint as (

    select * from {{ ref('int_input__touchpoint') }}
    {%- if since is not none %}
    where
        touchpoint_key in {{ leadlag.changed_keys('touchpoint', since) }}
        or lead_record_key in (
            select lead_record_key from {{ ref('int_identity__lead_record_person') }}
            where {{ leadlag.of_touched_persons(since) }}
        )
        or email_key in (
            select email_key from {{ ref('int_identity__email_person') }}
            where {{ leadlag.of_touched_persons(since) }}
        )
        or visitor_id in (
            select visitor_id from {{ ref('int_identity__visitor_person') }}
            where {{ leadlag.of_touched_persons(since) }}
        )
        or touchpoint_key in (select touchpoint_key from {{ this }} where {{ leadlag.of_touched_persons(since) }})
        or source_system || ':' || campaign_source_id in {{ leadlag.changed_ids('campaign', since) }}
    {%- endif %}

),

-- The source's own reference first, then the recipient's address, then the browser.
linked as (

    select
        touchpoint.*,
        coalesce(by_record.person_key, by_email.person_key, by_visitor.person_key) as person_key,
        case
            when by_record.person_key is not null then 'record'
            when by_email.person_key is not null then 'email'
            when by_visitor.person_key is not null then 'visitor'
        end as person_link
    from touchpoint
    left join {{ ref('int_identity__lead_record_person') }} as by_record
        on touchpoint.lead_record_key = by_record.lead_record_key
    left join {{ ref('int_identity__email_person') }} as by_email
        on touchpoint.email_key = by_email.email_key
    left join {{ ref('int_identity__visitor_person') }} as by_visitor
        on
            touchpoint.visitor_id = by_visitor.visitor_id
            and touchpoint.occurred_at >= by_visitor.valid_from
            and touchpoint.occurred_at < by_visitor.valid_to

)

select
    linked.touchpoint_key,
    linked.person_key,
    journey.journey_key,
    linked.person_link,
    linked.source_system,
    linked.source_table,
    linked.source_id,
    linked.occurred_at,
    linked.recorded_at,
    linked.touchpoint_type,
    linked.interaction,
    coalesce(traffic.traffic, 'person') as traffic,
    channel.channel,
    channel.is_paid,
    campaign.campaign_key,
    linked.campaign_name,
    linked.utm_source,
    linked.utm_medium,
    linked.utm_campaign,
    linked.utm_content,
    linked.utm_term,
    linked.click_id_type,
    linked.referrer_domain,
    linked.landing_path,
    case when linked.self_reported_source is not null then coalesce(source_map.lead_source, 'other') end as self_reported_source
from linked
left join {{ ref('int_lifecycle__journey') }} as journey
    on
        linked.person_key = journey.person_key
        and linked.occurred_at > journey.owns_after
        and linked.occurred_at <= journey.owns_until
left join {{ ref('int_engagement__channel') }} as channel
    on
        coalesce(linked.touchpoint_type, '') = channel.touchpoint_type
        and coalesce(linked.utm_source, '') = channel.utm_source
        and coalesce(linked.utm_medium, '') = channel.utm_medium
        and coalesce(linked.referrer_domain, '') = channel.referrer_domain
        and coalesce(linked.click_id_type, '') = channel.click_id_type
left join {{ ref('int_engagement__traffic') }} as traffic
    on
        coalesce(linked.user_agent, '') = traffic.user_agent
        and coalesce(linked.page_host, '') = traffic.page_host
        and coalesce(linked.referrer_domain, '') = traffic.referrer_domain
left join {{ ref('int_input__campaign') }} as campaign
    on linked.source_system = campaign.source_system and linked.campaign_source_id = campaign.source_id
left join {{ ref('lead_source_map') }} as source_map
    on lower(trim(linked.self_reported_source)) = lower(trim(source_map.lead_source_raw))
