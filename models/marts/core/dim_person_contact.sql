select
    detail.lead_record_key,
    person.person_key,
    detail.email,
    detail.full_name,
    detail.phone
from {{ ref('int_identity__contact_detail') }} as detail
inner join {{ ref('int_identity__lead_record_person') }} as person
    on detail.lead_record_key = person.lead_record_key
