{{ config(post_hook="{{ leadlag.note_clock() }}") }}
-- depends_on: {{ ref('int_input__touchpoint_checked') }}
-- depends_on: {{ ref('int_input__activity_checked') }}
-- depends_on: {{ ref('int_input__campaign_checked') }}

with known as (

    select max(known_at) as newest_at from {{ ref('int_input__lead_record_checked') }} where quarantine_rule is null
    union all
    select max(known_at) as newest_at from {{ ref('int_input__status_event_checked') }} where quarantine_rule is null
    union all
    select max(known_at) as newest_at from {{ ref('int_input__opportunity_checked') }} where quarantine_rule is null
    union all
    select max(known_at) as newest_at from {{ ref('int_input__opportunity_stage_event_checked') }} where quarantine_rule is null

),

clock as (

    select
        coalesce(
            cast({{ "'" ~ var('as_of') ~ "'" if var('as_of', none) is not none else 'null' }} as timestamp),
            max(newest_at),
            cast('1970-01-01' as timestamp)
        ) as as_of
    from known

)

select
    as_of,
    {{ leadlag.business_date('as_of') }} as as_of_date
from clock
