{{ config(materialized='view') }}

with delivered as (
    {{ leadlag.unite('status_event') }}
),

status as (

    select distinct
        delivered.source_system,
        delivered.status_field,
        trim(delivered.status_raw) as status_raw
    from delivered
    inner join {{ ref('quarantine_rule') }} as quarantine_rule
        on quarantine_rule.quarantine_rule = 'text_too_long'
    -- What no mapping could mend goes to quarantine under its own rule.
    where trim(delivered.status_raw) <> ''
        and length(delivered.status_raw) <= quarantine_rule.tolerance
        and delivered.status_raw not like '%�%'

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
