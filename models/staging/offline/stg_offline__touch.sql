with delivered as (

    {{ leadlag.conform('offline', 'touch', raw='touched_at') }}

)

select
    touch_id,
    email,
    touched_at,
    touched_at_raw,
    touch_type,
    campaign_name,
    self_reported_source,
    entered_at
from delivered
