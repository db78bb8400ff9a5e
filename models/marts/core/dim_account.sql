with account as (

    select
        unified.account_key as unified_key,
        account.*
    from {{ ref('int_input__account') }} as account
    inner join {{ ref('int_engagement__account') }} as unified
        on account.account_key = unified.system_account_key

),

-- What the naming record lacks, another system may know.
known as (

    select
        unified_key,
        min(account_name) as account_name,
        min(industry) as industry,
        max(employee_count) as employee_count,
        min(country) as country,
        min(region) as region,
        count(*) as account_record_count
    from account
    group by unified_key

)

select
    account.account_key,
    account.source_system,
    account.source_id,
    coalesce(account.account_name, known.account_name) as account_name,
    account.domain,
    coalesce(account.industry, known.industry) as industry,
    coalesce(account.employee_count, known.employee_count) as employee_count,
    coalesce(account.country, known.country) as country,
    coalesce(account.region, known.region) as region,
    account.parent_source_id,
    known.account_record_count
from account
inner join known on account.account_key = known.unified_key
