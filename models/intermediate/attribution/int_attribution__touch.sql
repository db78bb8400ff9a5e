-- A page view within a visit is no touch of its own, unless another channel has brought the person back.
with viewed as (

    select
        touchpoint_key,
        journey_key,
        occurred_at,
        touchpoint_type,
        channel,
        is_paid,
        campaign_key,
        lag(occurred_at) over typed as previous_at,
        lag(channel) over typed as previous_channel
    from {{ ref('fct_touchpoint') }}
    where journey_key is not null and traffic = 'person'
    window typed as (partition by journey_key, touchpoint_type order by occurred_at, touchpoint_key)

)

select
    touchpoint_key,
    journey_key,
    occurred_at,
    -- Systems of record keep whole seconds: a form in the second of the inquiry that it made is not after it.
    {{ dbt.date_trunc('second', 'occurred_at') }} as occurred_second,
    channel,
    is_paid,
    campaign_key
from viewed
where
    touchpoint_type <> 'web'
    or previous_at is null
    or {{ leadlag.seconds_between('previous_at', 'occurred_at') }} >= 60 * {{ var('visit_gap_minutes', 30) }}
    or (channel <> previous_channel and channel <> 'direct')
