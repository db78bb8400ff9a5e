with delivered as (

    {{ leadlag.conform('salesforce', 'opportunity', raw='created_at') }}

)

select
    opportunity_id,
    account_id,
    campaign_id,
    owner_id,
    opportunity_type,
    amount,
    currency_code,
    cast(probability_percent as {{ leadlag.type_double() }}) / 100 as probability,
    stage_name,
    forecast_category,
    lead_source,
    region,
    product_line,
    loss_reason,
    created_at,
    created_at_raw,
    close_date,
    is_closed,
    is_won,
    is_deleted,
    loaded_at
from delivered
where coalesce(is_current, true)
