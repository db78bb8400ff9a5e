with account as (

    select
        account_key,
        source_system,
        source_id,
        lower(trim(domain)) as domain
    from {{ ref('int_input__account') }}

),

shared as (

    select
        domain,
        min(account_key) as account_key
    from account
    where domain <> ''
    group by domain

)

select
    account.account_key as system_account_key,
    account.source_system,
    account.source_id,
    coalesce(shared.account_key, account.account_key) as account_key
from account
left join shared on account.domain = shared.domain
