{{ leadlag.incremental('difference', unique_key='system_rep_key') }}

with rep as (

    select * from {{ ref('int_input__rep') }}

),

-- One human may be a user of several systems; the address tells.
shared as (

    select
        email_key,
        min(rep_key) as rep_key
    from rep
    where email_key is not null
    group by email_key

)

select
    rep.rep_key as system_rep_key,
    rep.source_system,
    rep.source_id,
    coalesce(shared.rep_key, rep.rep_key) as rep_key
from rep
left join shared on rep.email_key = shared.email_key
