select
    source_system,
    source_table,
    source_id,
    record_type,
    source_id as record_source_id,
    'lead' as status_field,
    'marketing_qualified' as status_raw,
    occurred_at,
    occurred_at_raw
from {{ ref('olist_lead_record') }}
