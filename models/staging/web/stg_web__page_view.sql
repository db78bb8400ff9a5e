with delivered as (

    {{ leadlag.conform('web', 'page_view', raw='viewed_at') }}

)

select
    page_view_id,
    visitor_id,
    viewed_at,
    viewed_at_raw,
    received_at,
    page_url,
    referrer_url,
    user_agent,
    loaded_at
from delivered
