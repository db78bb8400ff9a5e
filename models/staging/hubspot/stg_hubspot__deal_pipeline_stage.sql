with delivered as (

    {{ leadlag.conform('hubspot', 'deal_pipeline_stage') }}

)

select
    stage_id,
    stage_label,
    probability,
    is_closed,
    closed_won,
    loaded_at
from delivered
