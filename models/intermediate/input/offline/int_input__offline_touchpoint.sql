select
    'offline' as source_system,
    'touch' as source_table,
    touch_id as source_id,
    touched_at as occurred_at,
    touched_at_raw as occurred_at_raw,
    entered_at as recorded_at,
    entered_at as loaded_at,
    email,
    case when touch_type = 'trade_show' then 'event' else 'offline' end as touchpoint_type,
    touch_type as interaction,
    campaign_name,
    self_reported_source
from {{ ref('stg_offline__touch') }}
