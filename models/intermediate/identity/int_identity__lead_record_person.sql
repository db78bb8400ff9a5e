{{ leadlag.incremental('difference', unique_key='lead_record_key') }}

with record as (

    select
        record.lead_record_key,
        record.source_system,
        record.occurred_at,
        coalesce(component.component_key, record.lead_record_key) as component_key
    from {{ ref('int_input__lead_record') }} as record
    left join {{ ref('int_identity__component') }} as component
        on record.lead_record_key = component.lead_record_key

),

first_seen as (

    select
        component_key,
        min(occurred_at) as first_at
    from record
    group by component_key

),

-- A person is named by the earliest record, so that later ones do not rename it.
person as (

    select
        record.component_key,
        min(record.lead_record_key) as person_key
    from record
    inner join first_seen
        on record.component_key = first_seen.component_key and record.occurred_at = first_seen.first_at
    group by record.component_key

)

select
    record.lead_record_key,
    person.person_key,
    record.source_system,
    record.occurred_at
from record
inner join person on record.component_key = person.component_key
