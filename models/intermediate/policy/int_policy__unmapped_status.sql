{{ config(materialized='view') }}

with delivered as (
    {{ leadlag.unite('status_event') }}
),

status as (

    select distinct
        source_system,
        status_field,
        trim(status_raw) as status_raw
    from delivered
    where status_raw is not null

)

select
    status.source_system,
    status.status_field,
    status.status_raw
from status
left join {{ ref('status_map') }} as status_map
    on
        status.source_system = status_map.source_system
        and status.status_field = status_map.status_field
        and lower(status.status_raw) = lower(trim(status_map.status_raw))
where status_map.stage is null
