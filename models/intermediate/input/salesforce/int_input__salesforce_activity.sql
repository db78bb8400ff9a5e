{#- The first three characters of a Salesforce id name its object: 00Q lead, 003 contact, 006 opportunity, 001 account. -#}
with task as (

    select
        task_id,
        who_id,
        what_id,
        account_id,
        owner_id,
        created_at,
        created_at_raw,
        completed_at,
        loaded_at,
        status,
        call_direction,
        call_disposition,
        call_duration_seconds,
        is_closed,
        lower(coalesce(task_subtype, '')) as subtype_text,
        lower(coalesce(task_type, '')) as type_text
    from {{ ref('stg_salesforce__task') }}
    where not coalesce(is_deleted, false)

),

event as (

    select
        event_id,
        who_id,
        what_id,
        account_id,
        owner_id,
        started_at,
        started_at_raw,
        ended_at,
        created_at,
        loaded_at,
        lower(coalesce(event_type, '')) as type_text
    from {{ ref('stg_salesforce__event') }}
    where not coalesce(is_deleted, false)

),

activity as (

    select
        'task' as source_table,
        task_id as source_id,
        coalesce(completed_at, created_at) as occurred_at,
        created_at_raw as occurred_at_raw,
        greatest(completed_at, created_at) as recorded_at,
        loaded_at,
        who_id,
        what_id,
        account_id,
        owner_id,
        case
            when subtype_text = 'call' then 'call'
            when subtype_text in ('email', 'listemail') then 'email'
            when type_text like '%call%' then 'call'
            when type_text like '%email%' then 'email'
            when type_text like '%meeting%' then 'meeting'
            else 'task'
        end as activity_type,
        lower(call_direction) as call_direction,
        coalesce(call_disposition, status) as outcome,
        coalesce(is_closed, completed_at is not null) as is_completed,
        call_duration_seconds as duration_seconds
    from task
    union all
    select
        'event' as source_table,
        event_id as source_id,
        coalesce(started_at, created_at) as occurred_at,
        started_at_raw as occurred_at_raw,
        greatest(started_at, created_at) as recorded_at,
        case when loaded_at >= started_at then loaded_at end as loaded_at,
        who_id,
        what_id,
        account_id,
        owner_id,
        case
            when type_text like '%call%' then 'call'
            when type_text like '%email%' then 'email'
            else 'meeting'
        end as activity_type,
        cast(null as {{ dbt.type_string() }}) as call_direction,
        cast(null as {{ dbt.type_string() }}) as outcome,
        true as is_completed,
        cast({{ leadlag.seconds_between('started_at', 'ended_at') }} as bigint) as duration_seconds
    from event

)

select
    'salesforce' as source_system,
    source_table,
    source_id,
    occurred_at,
    occurred_at_raw,
    recorded_at,
    loaded_at,
    case
        when who_id like '00Q%' then 'lead'
        when who_id like '003%' then 'contact'
    end as record_type,
    who_id as record_source_id,
    case when what_id like '006%' then what_id end as opportunity_source_id,
    coalesce(account_id, case when what_id like '001%' then what_id end) as account_source_id,
    owner_id as rep_source_id,
    activity_type,
    case
        when call_direction in ('inbound', 'outbound') then call_direction
        when activity_type = 'email' then 'outbound'
    end as direction,
    outcome,
    is_completed,
    duration_seconds
from activity
