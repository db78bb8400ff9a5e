-- Of a record that was delivered several times, the accepted version: known at its time, with its address.
select
    record.lead_record_key,
    person.person_key,
    min(detail.email) as email,
    min(detail.full_name) as full_name,
    min(detail.phone) as phone
from {{ ref('int_input__lead_record') }} as record
inner join {{ ref('int_identity__lead_record_person') }} as person
    on record.lead_record_key = person.lead_record_key
inner join {{ ref('int_identity__contact_detail') }} as detail
    on
        record.lead_record_key = detail.lead_record_key
        and record.known_at = detail.known_at
        and coalesce(record.email_key, 0) = coalesce(detail.email_key, 0)
group by record.lead_record_key, person.person_key
