-- A page view within a visit is no touch of its own, unless another channel has brought the person back.
with touch as (

    select
        touchpoint_key,
        journey_key,
        occurred_at,
        touchpoint_type,
        channel,
        is_paid,
        campaign_key
    from {{ ref('fct_touchpoint') }}
    where journey_key is not null and traffic = 'person'

),

viewed as (

    select
        *,
        lag(occurred_at) over by_view as previous_at,
        lag(channel) over by_view as previous_channel
    from touch
    where touchpoint_type = 'web'
    window by_view as (partition by journey_key order by occurred_at, touchpoint_key)

),

kept as (

    select
        touchpoint_key,
        journey_key,
        occurred_at,
        channel,
        is_paid,
        campaign_key
    from touch
    where coalesce(touchpoint_type, '') <> 'web'
    union all
    select
        touchpoint_key,
        journey_key,
        occurred_at,
        channel,
        is_paid,
        campaign_key
    from viewed
    where
        previous_at is null
        or {{ leadlag.seconds_between('previous_at', 'occurred_at') }} >= 60 * {{ var('visit_gap_minutes', 30) }}
        or (channel <> previous_channel and channel <> 'direct')

)

select
    *,
    -- Systems of record keep whole seconds: a form in the second of the inquiry that it made is not after it.
    {{ dbt.date_trunc('second', 'occurred_at') }} as occurred_second,
    row_number() over walk as touch_number,
    lead(channel) over walk as next_channel,
    lead(occurred_at) over walk as next_at
from kept
window walk as (partition by journey_key order by occurred_at, touchpoint_key)
