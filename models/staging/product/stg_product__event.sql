with delivered as (

    {{ leadlag.conform('product', 'event', raw='occurred_at') }}

)

select
    event_id,
    user_email,
    account_domain,
    event_name,
    occurred_at,
    occurred_at_raw,
    received_at,
    quantity,
    loaded_at
from delivered
