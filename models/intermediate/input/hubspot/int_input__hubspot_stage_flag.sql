select
    stage_id,
    max(stage_label) as stage_label,
    max(probability) as probability,
    max(case when is_closed then 1 when not is_closed then 0 end) = 1 as is_closed,
    max(case when is_closed and probability = 1 then 1 when is_closed is not null then 0 end) = 1 as is_won
from {{ ref('stg_hubspot__deal_pipeline_stage') }}
group by stage_id
