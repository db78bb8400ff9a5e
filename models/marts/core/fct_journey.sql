{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

with journey as (

    select * from {{ ref('int_lifecycle__journey') }}
    where {{ leadlag.of_touched_persons(since) }}

),

entry as (

    select
        event.journey_key,
        event.stage as entry_stage,
        event.source_system as entry_source_system,
        record.lead_record_key,
        record.source_system,
        record.owner_source_id,
        record.country,
        record.region,
        record.product_line,
        coalesce(source_map.lead_source, lower(trim(record.lead_source))) as lead_source
    from {{ ref('int_lifecycle__journey_event') }} as event
    inner join journey
        on event.journey_key = journey.journey_key and event.event_number = journey.first_event_number
    inner join {{ ref('int_input__lead_record') }} as record
        on event.lead_record_key = record.lead_record_key
    left join {{ ref('lead_source_map') }} as source_map
        on lower(trim(record.lead_source)) = lower(trim(source_map.lead_source_raw))

)

select
    journey.journey_key,
    journey.person_key,
    journey.journey_number,
    case when journey.journey_number = 1 then 'first' else 'returning' end as journey_type,
    account.account_key,
    rep.rep_key,
    contact.campaign_key,
    entry.lead_record_key as entry_lead_record_key,
    entry.entry_source_system,
    entry.entry_stage,
    entry.lead_source,
    contact.first_channel,
    entry.region,
    entry.product_line,
    entry.country,
    journey.entered_at,
    {{ leadlag.business_date('journey.entered_at') }} as entered_date,
    contact.first_touch_at,
    contact.first_sales_contact_at,
    journey.inquiry_at,
    journey.mql_at,
    journey.sal_at,
    journey.sql_at,
    journey.opportunity_at,
    journey.won_at,
    journey.ended_at,
    journey.outcome,
    journey.furthest_stage,
    journey.stage_event_count,
    cast(coalesce(contact.touchpoint_count, 0) as bigint) as touchpoint_count,
    cast(coalesce(contact.activity_count, 0) as bigint) as activity_count
from journey
inner join entry on journey.journey_key = entry.journey_key
left join {{ ref('int_engagement__journey_contact') }} as contact on journey.journey_key = contact.journey_key
left join {{ ref('int_engagement__person_account') }} as account on journey.person_key = account.person_key
left join {{ ref('int_engagement__rep') }} as rep
    on entry.source_system = rep.source_system and entry.owner_source_id = rep.source_id
