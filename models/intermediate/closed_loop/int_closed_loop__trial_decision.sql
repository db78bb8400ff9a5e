with trial as (

    select
        trial.*,
        ln((1 - {{ leadlag.double('beta') }}) / {{ leadlag.double('alpha') }}) as pass_boundary,
        ln({{ leadlag.double('beta') }} / (1 - {{ leadlag.double('alpha') }})) as fail_boundary,
        ln(1 / {{ leadlag.double('alpha') }}) as alarm_boundary,
        ln({{ leadlag.double('target_conversion') }} / {{ leadlag.double('minimum_conversion') }}) as step_up,
        ln((1 - {{ leadlag.double('minimum_conversion') }}) / (1 - {{ leadlag.double('target_conversion') }})) as step_down,
        {{ leadlag.fixed_size('trial') }} as fixed_size_leads
    from {{ ref('vendor_trial') }} as trial

),

crossing as (

    select
        trial.trial,
        count(*) as leads,
        count(case when lead.is_mature then 1 end) as leads_mature,
        max(case when lead.is_mature then lead.conversions end) as conversions,
        min(case when lead.is_mature and lead.log_ratio >= trial.pass_boundary then lead.lead_number end) as passed_at_lead,
        min(case when lead.is_mature and lead.log_ratio <= trial.fail_boundary then lead.lead_number end) as failed_at_lead,
        max(case when lead.is_mature and lead.lead_number = trial.planned_leads then lead.lead_number end) as used_up_at_lead
    from trial
    inner join {{ ref('int_closed_loop__trial_lead') }} as lead on trial.trial = lead.trial
    group by trial.trial

),

delivery as (

    select
        trial.trial,
        count(*) as records_delivered,
        count(case when record.is_duplicate then 1 end) as records_duplicate,
        count(case when record.is_invalid then 1 end) as records_invalid,
        min(case when record.duplicate_log_ratio >= trial.alarm_boundary then record.delivered_at end) as duplicate_alarm_at,
        min(case when record.invalid_log_ratio >= trial.alarm_boundary then record.delivered_at end) as invalid_alarm_at
    from trial
    inner join {{ ref('int_closed_loop__trial_record') }} as record on trial.trial = record.trial
    group by trial.trial

),

decided as (

    select
        trial.*,
        crossing.leads,
        crossing.leads_mature,
        crossing.conversions,
        crossing.passed_at_lead,
        crossing.failed_at_lead,
        lead.lead_number as decided_at_lead,
        lead.conversions as decided_conversions,
        lead.mature_at,
        delivery.records_delivered,
        delivery.records_duplicate,
        delivery.records_invalid,
        delivery.duplicate_alarm_at,
        delivery.invalid_alarm_at,
        least(
            coalesce(lead.mature_at, cast('9999-12-31' as timestamp)),
            coalesce(delivery.duplicate_alarm_at, cast('9999-12-31' as timestamp)),
            coalesce(delivery.invalid_alarm_at, cast('9999-12-31' as timestamp))
        ) as decided_at
    from trial
    left join crossing on trial.trial = crossing.trial
    left join delivery on trial.trial = delivery.trial
    left join {{ ref('int_closed_loop__trial_lead') }} as lead
        on
            trial.trial = lead.trial
            and lead.lead_number = coalesce(
                case when crossing.passed_at_lead < coalesce(crossing.failed_at_lead, crossing.passed_at_lead + 1)
                    then crossing.passed_at_lead else crossing.failed_at_lead end,
                crossing.used_up_at_lead
            )

)

select * from decided
