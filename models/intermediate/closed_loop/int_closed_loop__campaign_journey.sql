{%- set stages = ['mql', 'sql', 'opportunity', 'won'] -%}

-- A stage counts for a campaign only when the journey reached it at or after the campaign's first touch.
select
    touch.campaign_key,
    touch.journey_key,
    touch.is_first,
    journey.ended_at is null as is_open,
    {%- for stage in stages %}
    coalesce(journey.{{ stage }}_at >= touch.touched_at, false) as has_{{ stage }},
    case when journey.{{ stage }}_at >= touch.touched_at
        then {{ leadlag.seconds_between('touch.touched_at', 'journey.' ~ stage ~ '_at') }} / 86400 end as days_to_{{ stage }},
    {%- endfor %}
    case when journey.won_at >= touch.touched_at then amount.won_amount end as won_amount
from {{ ref('int_closed_loop__campaign_touch') }} as touch
inner join {{ ref('fct_journey') }} as journey on touch.journey_key = journey.journey_key
left join {{ ref('int_closed_loop__journey_amount') }} as amount on touch.journey_key = amount.journey_key
