with delivered as (

    {{ leadlag.conform('hubspot', 'deal_contact') }}

)

select
    deal_id,
    contact_id,
    loaded_at
from delivered
