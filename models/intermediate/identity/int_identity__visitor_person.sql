{{ leadlag.incremental('difference', unique_key='visitor_id') }}

with link as (

    select distinct
        link.from_source_id as visitor_id,
        link.occurred_at,
        person.person_key
    from {{ ref('int_input__identity_link') }} as link
    inner join {{ ref('int_identity__lead_record_person') }} as person
        on {{ leadlag.key(['link.to_source_system', 'link.to_record_type', 'link.to_source_id']) }} = person.lead_record_key
    where link.link_type = 'visitor'

),

visitor as (

    select
        visitor_id,
        min(occurred_at) as first_at,
        count(distinct person_key) as person_count
    from link
    group by visitor_id

),

-- One person at a time; of two people identified at once, the lower key.
at_once as (

    select
        visitor_id,
        occurred_at,
        min(person_key) as person_key
    from link
    group by visitor_id, occurred_at

)

select
    at_once.visitor_id,
    at_once.person_key,
    case
        when at_once.occurred_at = visitor.first_at and visitor.person_count = 1 then cast('1900-01-01' as timestamp)
        else at_once.occurred_at
    end as valid_from,
    coalesce(
        lead(at_once.occurred_at) over (partition by at_once.visitor_id order by at_once.occurred_at),
        cast('9999-12-31' as timestamp)
    ) as valid_to,
    visitor.person_count > 1 as is_shared_device
from at_once
inner join visitor on at_once.visitor_id = visitor.visitor_id
