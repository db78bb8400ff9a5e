with delivered as (

    {{ leadlag.conform('hubspot', 'merged_deal') }}

)

select
    deal_id,
    merged_deal_id,
    loaded_at
from delivered
