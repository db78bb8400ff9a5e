-- A person's records may disagree: a no anywhere is a no.
select
    person.person_key,
    case min(case coalesce(consent.ad_consent, '') when 'denied' then 1 when 'granted' then 2 else 3 end)
        when 1 then 'denied'
        when 2 then 'granted'
    end as ad_consent,
    count(case when consent.ad_consent_raw is null and trim(record.ad_consent) <> '' then 1 end) as unmapped_count
from {{ ref('int_input__lead_record') }} as record
inner join {{ ref('int_identity__lead_record_person') }} as person
    on record.lead_record_key = person.lead_record_key
left join {{ ref('consent_map') }} as consent
    on lower(trim(record.ad_consent)) = lower(trim(consent.ad_consent_raw))
where record.ad_consent is not null
group by person.person_key
