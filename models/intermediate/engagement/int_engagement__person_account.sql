{{ leadlag.incremental('difference', unique_key='person_key') }}

with record as (

    select
        person.person_key,
        person.occurred_at,
        account.account_key
    from {{ ref('int_input__lead_record') }} as record
    inner join {{ ref('int_identity__lead_record_person') }} as person
        on record.lead_record_key = person.lead_record_key
    inner join {{ ref('int_engagement__account') }} as account
        on record.source_system = account.source_system and record.account_source_id = account.source_id

),

first_known as (

    select
        person_key,
        min(occurred_at) as first_at
    from record
    group by person_key

)

select
    record.person_key,
    min(record.account_key) as account_key
from record
inner join first_known
    on record.person_key = first_known.person_key and record.occurred_at = first_known.first_at
group by record.person_key
