with touch as (

    select * from {{ ref('int_closed_loop__touch') }}

),

first_time as (

    select
        journey_key,
        min(occurred_at) as occurred_at
    from touch
    where journey_key is not null
    group by journey_key

),

-- Of several campaign touches at the first moment, the one with the lowest key.
first_touch as (

    select
        touch.journey_key,
        min(touch.touchpoint_key) as touchpoint_key
    from touch
    inner join first_time on touch.journey_key = first_time.journey_key and touch.occurred_at = first_time.occurred_at
    group by touch.journey_key

)

select
    touch.campaign_key,
    touch.person_key,
    touch.journey_key,
    min(touch.occurred_at) as touched_at,
    count(*) as touches,
    count(first_touch.touchpoint_key) > 0 as is_first
from touch
left join first_touch on touch.touchpoint_key = first_touch.touchpoint_key
group by touch.campaign_key, touch.person_key, touch.journey_key
