select
    touchpoint.touchpoint_key,
    touchpoint.person_key,
    touchpoint.journey_key,
    touchpoint.occurred_at,
    touchpoint.click_id_type,
    delivered.click_id
from {{ ref('int_input__touchpoint') }} as delivered
inner join {{ ref('fct_touchpoint') }} as touchpoint on delivered.touchpoint_key = touchpoint.touchpoint_key
where delivered.click_id is not null
