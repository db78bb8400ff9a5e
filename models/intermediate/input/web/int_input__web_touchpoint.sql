select
    'web' as source_system,
    'page_view' as source_table,
    page_view_id as source_id,
    viewed_at as occurred_at,
    viewed_at_raw as occurred_at_raw,
    received_at as recorded_at,
    loaded_at,
    visitor_id,
    'web' as touchpoint_type,
    'page_view' as interaction,
    page_url,
    referrer_url,
    user_agent
from {{ ref('stg_web__page_view') }}
