select
    'product' as source_system,
    'event' as source_table,
    event_id as source_id,
    occurred_at,
    occurred_at_raw,
    received_at as recorded_at,
    loaded_at,
    user_email as email,
    lower(account_domain) as account_source_id,
    event_name,
    quantity
from {{ ref('stg_product__event') }}
