{{ leadlag.incremental('difference', unique_key='email_key') }}

select
    record.email_key,
    min(person.person_key) as person_key
from {{ ref('int_input__lead_record') }} as record
inner join {{ ref('int_identity__lead_record_person') }} as person
    on record.lead_record_key = person.lead_record_key
left join {{ ref('int_identity__shared_email') }} as shared
    on record.email_key = shared.email_key
where record.email_key is not null and shared.email_key is null
group by record.email_key
