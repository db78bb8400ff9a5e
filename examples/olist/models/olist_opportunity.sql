select
    'olist' as source_system,
    'closed_deals' as source_table,
    mql_id as source_id,
    'lead' as record_type,
    mql_id as record_source_id,
    sr_id as owner_source_id,
    business_segment as product_line,
    cast(won_date as timestamp) at time zone 'America/Sao_Paulo' at time zone 'UTC' as occurred_at,
    won_date as occurred_at_raw,
    true as is_closed,
    true as is_won
from {{ source('olist', 'closed_deals') }}
