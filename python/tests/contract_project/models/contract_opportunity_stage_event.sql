select * from {{ source('raw', 'opportunity_stage_event') }}
