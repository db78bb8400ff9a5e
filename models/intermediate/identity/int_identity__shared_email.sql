with address as (

    select distinct
        email_key,
        email,
        {{ dbt.split_part('email', "'@'", 1) }} as local_part,
        {{ dbt.split_part('email', "'@'", 2) }} as email_domain
    from {{ ref('int_identity__contact_detail') }}
    where email_key is not null

)

select address.email_key
from address
inner join {{ ref('shared_mailbox') }} as policy
    on policy.match_type = 'local_part' and address.local_part = policy.pattern
union
select address.email_key
from address
inner join {{ ref('shared_mailbox') }} as policy
    on policy.match_type = 'domain' and address.email_domain = policy.pattern
union
select address.email_key
from address
inner join {{ ref('shared_mailbox') }} as policy
    on policy.match_type = 'address' and address.email = policy.pattern
