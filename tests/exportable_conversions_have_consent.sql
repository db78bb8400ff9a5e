-- Read from the lead records themselves: nobody who said no anywhere, and under rule granted nobody who did not say yes.
with answer as (

    select
        person.person_key,
        count(case when consent.ad_consent = 'denied' then 1 end) as denials,
        count(case when consent.ad_consent = 'granted' then 1 end) as grants
    from {{ ref('int_identity__lead_record_person') }} as person
    inner join {{ ref('int_input__lead_record') }} as record on person.lead_record_key = record.lead_record_key
    inner join {{ ref('consent_map') }} as consent on lower(trim(record.ad_consent)) = lower(trim(consent.ad_consent_raw))
    group by person.person_key

)

select conversion.offline_conversion_key
from {{ ref('offline_conversion') }} as conversion
inner join {{ ref('conversion_export') }} as rule
    on conversion.platform = rule.platform and conversion.milestone = rule.milestone
left join answer on conversion.person_key = answer.person_key
where
    conversion.is_exportable
    and (
        coalesce(answer.denials, 0) > 0
        or (rule.consent_rule = 'granted' and coalesce(answer.grants, 0) = 0)
        or conversion.clicked_at > conversion.reached_at
        or conversion.click_id is null
    )
