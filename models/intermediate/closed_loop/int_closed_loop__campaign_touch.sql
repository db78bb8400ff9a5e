-- One row a person and journey that a campaign touched; the campaign is the one the source names, or the one that the link names.
with named as (

    select
        *,
        case
            when campaign_key is null then {{ leadlag.campaign_slug('coalesce(utm_campaign, campaign_name)') }}
        end as plain_name
    from {{ ref('fct_touchpoint') }}
    where traffic = 'person'

),

touch as (

    select
        coalesce(named.campaign_key, campaign.campaign_key) as campaign_key,
        named.person_key,
        named.journey_key,
        named.touchpoint_key,
        named.occurred_at
    from named
    left join {{ ref('int_closed_loop__campaign_name') }} as campaign on named.plain_name = campaign.plain_name
    where coalesce(named.campaign_key, campaign.campaign_key) is not null

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
