select distinct
    'bpi2012' as source_system,
    'events' as source_table,
    resource_id as source_id,
    'Clerk ' || resource_id as full_name
from {{ ref('bpi2012_event') }}
where resource_id is not null
