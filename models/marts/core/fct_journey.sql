with journey as (

    select * from {{ ref('int_lifecycle__journey') }}

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

),

touch as (

    select
        journey_key,
        min(occurred_at) as first_touch_at,
        count(*) as touchpoint_count
    from {{ ref('fct_touchpoint') }}
    where journey_key is not null
    group by journey_key

),

-- Of several touches at the first moment, the one with the lowest key.
first_touch as (

    select
        touchpoint.journey_key,
        min(touchpoint.touchpoint_key) as touchpoint_key
    from {{ ref('fct_touchpoint') }} as touchpoint
    inner join touch
        on touchpoint.journey_key = touch.journey_key and touchpoint.occurred_at = touch.first_touch_at
    group by touchpoint.journey_key

),

activity as (

    select
        journey_key,
        min(case when is_sales_contact then occurred_at end) as first_sales_contact_at,
        count(*) as activity_count
    from {{ ref('fct_activity') }}
    where journey_key is not null
    group by journey_key

)

select
    journey.journey_key,
    journey.person_key,
    journey.journey_number,
    case when journey.journey_number = 1 then 'first' else 'returning' end as journey_type,
    account.account_key,
    rep.rep_key,
    touchpoint.campaign_key,
    entry.lead_record_key as entry_lead_record_key,
    entry.entry_source_system,
    entry.entry_stage,
    entry.lead_source,
    touchpoint.channel as first_channel,
    entry.region,
    entry.product_line,
    entry.country,
    journey.entered_at,
    {{ leadlag.business_date('journey.entered_at') }} as entered_date,
    touch.first_touch_at,
    activity.first_sales_contact_at,
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
    cast(coalesce(touch.touchpoint_count, 0) as bigint) as touchpoint_count,
    cast(coalesce(activity.activity_count, 0) as bigint) as activity_count
from journey
inner join entry on journey.journey_key = entry.journey_key
left join touch on journey.journey_key = touch.journey_key
left join first_touch on journey.journey_key = first_touch.journey_key
left join {{ ref('fct_touchpoint') }} as touchpoint on first_touch.touchpoint_key = touchpoint.touchpoint_key
left join activity on journey.journey_key = activity.journey_key
left join {{ ref('int_engagement__person_account') }} as account on journey.person_key = account.person_key
left join {{ ref('int_engagement__rep') }} as rep
    on entry.source_system = rep.source_system and entry.owner_source_id = rep.source_id
