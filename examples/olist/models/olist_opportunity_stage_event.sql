select
    source_system,
    source_table,
    source_id,
    source_id as opportunity_source_id,
    'won' as stage_raw,
    is_closed,
    is_won,
    occurred_at,
    occurred_at_raw
from {{ ref('olist_opportunity') }}
