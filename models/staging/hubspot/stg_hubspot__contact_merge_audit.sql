with delivered as (

    {{ leadlag.conform('hubspot', 'contact_merge_audit', raw='merged_at') }}

)

select
    canonical_contact_id,
    merged_contact_id,
    merged_at,
    merged_at_raw,
    loaded_at
from delivered
