select
    path_set_key,
    journey_key,
    concluded_date,
    touchpoint_key,
    touch_number,
    channel,
    is_paid,
    campaign_key,
    {{ leadlag.seconds_between('occurred_at', 'concluded_at') }} / 86400 as days_before,
    {%- for stage in ['inquiry', 'mql', 'opportunity'] %}
    coalesce(occurred_second <= {{ stage }}_at, false) as is_before_{{ stage }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('int_attribution__eligible_touch') }}
where is_converted
