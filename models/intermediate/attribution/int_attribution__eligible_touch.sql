{{ config(materialized='ephemeral') }}

with path_set as (

    select
        path_set_key,
        milestone,
        eligible_touches,
        lookback_days,
        max(case when method = 'markov' then 1 else 0 end) as has_chain
    from {{ ref('int_attribution__model') }}
    group by path_set_key, milestone, eligible_touches, lookback_days

)

select
    path_set.path_set_key,
    path_set.has_chain,
    path_set.eligible_touches,
    outcome.journey_key,
    outcome.person_key,
    outcome.is_converted,
    outcome.concluded_at,
    outcome.concluded_date,
    outcome.inquiry_at,
    outcome.mql_at,
    outcome.opportunity_at,
    touch.touchpoint_key,
    touch.touch_number,
    touch.occurred_at,
    touch.occurred_second,
    touch.channel,
    touch.is_paid,
    touch.campaign_key,
    touch.next_channel,
    touch.next_at
from {{ ref('int_attribution__outcome') }} as outcome
inner join path_set on outcome.milestone = path_set.milestone
inner join {{ ref('int_attribution__touch') }} as touch
    on
        outcome.journey_key = touch.journey_key
        and outcome.concluded_at >= touch.occurred_second
        and {{ leadlag.seconds_between('touch.occurred_at', 'outcome.concluded_at') }} <= 86400 * path_set.lookback_days
        and case path_set.eligible_touches
            when 'paid' then touch.is_paid
            when 'not_direct' then touch.channel <> 'direct'
            else true
        end
