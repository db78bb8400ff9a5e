select
    'olist' as source_system,
    'marketing_qualified_leads' as source_table,
    'lead' as record_type,
    mql_id as source_id,
    -- The file has dates of the business day; its midnight in Sao Paulo is the entry.
    cast(first_contact_date as timestamp) at time zone 'America/Sao_Paulo' at time zone 'UTC' as occurred_at,
    first_contact_date as occurred_at_raw,
    origin as lead_source
from {{ source('olist', 'marketing_qualified_leads') }}
