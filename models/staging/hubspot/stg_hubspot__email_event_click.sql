with delivered as (

    {{ leadlag.conform('hubspot', 'email_event_click') }}

)

select
    email_event_id,
    clicked_url,
    loaded_at
from delivered
