with delivered as (

    {{ leadlag.conform('hubspot', 'deal_stage', raw='entered_at') }}

)

select
    deal_id,
    stage_id,
    entered_at,
    entered_at_raw,
    loaded_at
from delivered
