-- Each accepted lead record belongs to exactly one person, linked records to the same one, and a personal address to one.
select 'record without a person, or with several' as broken, record.lead_record_key as example_key
from {{ ref('int_input__lead_record') }} as record
left join {{ ref('int_identity__lead_record_person') }} as person
    on record.lead_record_key = person.lead_record_key
group by record.lead_record_key
having count(person.person_key) <> 1
union all
select 'linked records are two people' as broken, edge.from_key as example_key
from {{ ref('int_identity__edge') }} as edge
inner join {{ ref('int_identity__lead_record_person') }} as one on edge.from_key = one.lead_record_key
inner join {{ ref('int_identity__lead_record_person') }} as other on edge.to_key = other.lead_record_key
where one.person_key <> other.person_key
union all
select 'an address of two people' as broken, record.email_key as example_key
from {{ ref('int_input__lead_record') }} as record
inner join {{ ref('int_identity__lead_record_person') }} as person
    on record.lead_record_key = person.lead_record_key
left join {{ ref('int_identity__shared_email') }} as shared on record.email_key = shared.email_key
where record.email_key is not null and shared.email_key is null
group by record.email_key
having count(distinct person.person_key) > 1
union all
select 'person named by a record that is not theirs' as broken, person.person_key as example_key
from {{ ref('int_identity__lead_record_person') }} as person
left join {{ ref('int_identity__lead_record_person') }} as naming
    on person.person_key = naming.lead_record_key and person.person_key = naming.person_key
where naming.lead_record_key is null
