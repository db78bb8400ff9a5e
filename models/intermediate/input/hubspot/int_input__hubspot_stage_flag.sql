with stage as (

    select
        stage_id,
        max(stage_label) as stage_label,
        max(probability) as probability,
        max(case when is_closed then 1 when not is_closed then 0 end) as closed_flag,
        max(case when closed_won then 1 when not closed_won then 0 end) as closed_won_flag
    from {{ ref('stg_hubspot__deal_pipeline_stage') }}
    group by stage_id

),

-- HubSpot: probability 1 is closed won, 0 closed lost. Without is_closed, the older closed_won names won stages or all
-- closed ones, so a stage is closed by either.
judged as (

    select
        stage_id,
        stage_label,
        probability,
        case
            when closed_flag is not null then closed_flag = 1
            when closed_won_flag = 1 or probability in (0, 1) then true
            when closed_won_flag is not null or probability is not null then false
        end as is_closed
    from stage

)

select
    stage_id,
    stage_label,
    probability,
    is_closed,
    is_closed and probability = 1 as is_won
from judged
