with delivered as (

    {{ leadlag.conform('hubspot', 'deal_company') }}

)

select
    deal_id,
    company_id,
    association_type_id,
    loaded_at
from delivered
