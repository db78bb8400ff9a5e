with record as (

    select
        record.lead_record_key,
        case when shared.email_key is null then record.email_key end as email_key
    from {{ ref('int_input__lead_record') }} as record
    left join {{ ref('int_identity__shared_email') }} as shared
        on record.email_key = shared.email_key

),

link as (

    select
        link_type,
        {{ leadlag.key(['from_source_system', 'from_record_type', 'from_source_id']) }} as from_key,
        {{ leadlag.key(['to_source_system', 'to_record_type', 'to_source_id']) }} as to_key
    from {{ ref('int_input__identity_link') }}
    where link_type <> 'visitor'

),

-- A star per address, not all pairs: as many edges as records.
email_center as (

    select
        email_key,
        min(lead_record_key) as center_key
    from record
    where email_key is not null
    group by email_key
    having count(*) > 1

),

edge as (

    select
        'email' as link_type,
        record.lead_record_key as from_key,
        email_center.center_key as to_key
    from record
    inner join email_center on record.email_key = email_center.email_key
    union
    select
        link.link_type,
        link.from_key,
        link.to_key
    from link
    inner join record as from_record on link.from_key = from_record.lead_record_key
    inner join record as to_record on link.to_key = to_record.lead_record_key

)

select
    link_type,
    from_key,
    to_key
from edge
where from_key <> to_key
