{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

with touch as (

    select
        journey_key,
        person_key,
        min(occurred_at) as first_touch_at,
        count(*) as touchpoint_count
    from {{ ref('fct_touchpoint') }}
    where journey_key is not null and traffic = 'person' and {{ leadlag.of_touched_persons(since) }}
    group by journey_key, person_key

),

-- Of several touches at the first moment, the one with the lowest key.
first_touch as (

    select
        touchpoint.journey_key,
        min(touchpoint.touchpoint_key) as touchpoint_key
    from {{ ref('fct_touchpoint') }} as touchpoint
    inner join touch
        on touchpoint.journey_key = touch.journey_key and touchpoint.occurred_at = touch.first_touch_at
    where touchpoint.traffic = 'person'
    group by touchpoint.journey_key

),

activity as (

    select
        journey_key,
        person_key,
        min(case when is_sales_contact then occurred_at end) as first_sales_contact_at,
        count(*) as activity_count
    from {{ ref('fct_activity') }}
    where journey_key is not null and {{ leadlag.of_touched_persons(since) }}
    group by journey_key, person_key

)

select
    coalesce(touch.journey_key, activity.journey_key) as journey_key,
    coalesce(touch.person_key, activity.person_key) as person_key,
    touch.first_touch_at,
    touchpoint.channel as first_channel,
    touchpoint.campaign_key,
    activity.first_sales_contact_at,
    touch.touchpoint_count,
    activity.activity_count
from touch
inner join first_touch on touch.journey_key = first_touch.journey_key
inner join {{ ref('fct_touchpoint') }} as touchpoint on first_touch.touchpoint_key = touchpoint.touchpoint_key
full outer join activity on touch.journey_key = activity.journey_key
