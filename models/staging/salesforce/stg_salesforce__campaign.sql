with delivered as (

    {{ leadlag.conform('salesforce', 'campaign') }}

)

select
    campaign_id,
    campaign_name,
    campaign_type,
    status,
    parent_id,
    start_date,
    end_date,
    budgeted_cost,
    actual_cost,
    currency_code,
    created_at,
    is_deleted,
    loaded_at
from delivered
where coalesce(is_current, true)
