with delivered as (

    {{ leadlag.conform('hubspot', 'deal', raw='created_at') }}

)

select
    deal_id,
    stage_id,
    owner_id,
    deal_type,
    amount,
    currency_code,
    close_date,
    closed_at,
    loss_reason,
    forecast_category,
    lead_source,
    region,
    product_line,
    salesforce_opportunity_id,
    created_at,
    created_at_raw,
    is_deleted,
    loaded_at
from delivered
