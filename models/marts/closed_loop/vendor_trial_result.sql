with judged as (

    -- What happened first decides and stays; of an alarm and the test at the same moment the alarm.
    select
        decision.*,
        case
            when decided_at = duplicate_alarm_at then 'too_many_duplicates'
            when decided_at = invalid_alarm_at then 'too_many_invalid'
            when decided_at_lead = passed_at_lead then 'target_reached'
            when decided_at_lead = failed_at_lead then 'minimum_not_exceeded'
            when decided_at_lead is not null then 'planned_leads_used_up'
            else 'undecided'
        end as reason
    from {{ ref('int_closed_loop__trial_decision') }} as decision

),

-- By the test, not by an alarm.
reported as (

    select
        judged.*,
        reason in ('target_reached', 'minimum_not_exceeded', 'planned_leads_used_up') as has_decision
    from judged

)

select
    trial,
    vendor,
    conversion_definition,
    case when reason = 'undecided' then 'go_on' when reason = 'target_reached' then 'pass' else 'fail' end as result,
    reason,
    case when reason <> 'undecided' then decided_at end as decided_at,
    case when has_decision then cast(decided_at_lead as bigint) end as decided_at_lead,
    case when has_decision then decided_conversions end as decided_conversions,
    start_date,
    planned_leads,
    fixed_size_leads,
    cast(coalesce(leads_mature, 0) as bigint) as leads_mature,
    cast(coalesce(leads - leads_mature, 0) as bigint) as leads_pending,
    cast(coalesce(conversions, 0) as bigint) as conversions,
    {{ leadlag.share('conversions', 'leads_mature') }} as conversion_rate,
    minimum_conversion,
    target_conversion,
    conversions * step_up - (leads_mature - conversions) * step_down as log_ratio,
    pass_boundary,
    fail_boundary,
    cast(ceil((pass_boundary + coalesce(leads_mature, 0) * step_down) / (step_up + step_down)) as bigint) as pass_conversions,
    cast(floor((fail_boundary + coalesce(leads_mature, 0) * step_down) / (step_up + step_down)) as bigint) as fail_conversions,
    cast(coalesce(records_delivered, 0) as bigint) as records_delivered,
    cast(coalesce(records_duplicate, 0) as bigint) as records_duplicate,
    {{ leadlag.share('records_duplicate', 'records_delivered') }} as duplicate_share,
    duplicate_alarm_at,
    cast(coalesce(records_invalid, 0) as bigint) as records_invalid,
    {{ leadlag.share('records_invalid', 'records_delivered') }} as invalid_share,
    invalid_alarm_at,
    owner
from reported
