with path_set as (

    select distinct
        path_set_key,
        milestone,
        eligible_touches,
        lookback_days
    from {{ ref('int_attribution__model') }}

)

select
    path_set.path_set_key,
    outcome.journey_key,
    mod(outcome.person_key, 20) as person_group,
    outcome.is_converted,
    outcome.concluded_date,
    touch.touchpoint_key,
    touch.occurred_at,
    touch.channel,
    touch.is_paid,
    touch.campaign_key,
    {{ leadlag.seconds_between('touch.occurred_at', 'outcome.concluded_at') }} / 86400 as days_before,
    {%- for stage in ['inquiry', 'mql', 'opportunity'] %}
    coalesce(touch.occurred_second <= outcome.{{ stage }}_at, false) as is_before_{{ stage }},
    {%- endfor %}
    row_number() over path as touch_number,
    lead(touch.channel) over path as next_channel
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
window path as (partition by path_set.path_set_key, outcome.journey_key order by touch.occurred_at, touch.touchpoint_key)
