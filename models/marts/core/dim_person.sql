{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

with record as (

    select
        person.person_key,
        record.*,
        coalesce(source_map.lead_source, lower(trim(record.lead_source))) as lead_source_name
    from {{ ref('int_input__lead_record') }} as record
    inner join {{ ref('int_identity__lead_record_person') }} as person
        on record.lead_record_key = person.lead_record_key
    left join {{ ref('lead_source_map') }} as source_map
        on lower(trim(record.lead_source)) = lower(trim(source_map.lead_source_raw))
    where {{ leadlag.of_touched_persons(since, 'person.person_key') }}

),

summary as (

    select
        person_key,
        min(occurred_at) as first_seen_at,
        count(*) as lead_record_count,
        count(distinct source_system) as source_system_count
    from record
    group by person_key

),

journey as (

    select
        person_key,
        count(*) as journey_count,
        max(case when won_at is not null then 1 else 0 end) as has_won
    from {{ ref('int_lifecycle__journey') }}
    where {{ leadlag.of_touched_persons(since) }}
    group by person_key

)

select
    summary.person_key,
    summary.first_seen_at,
    record.source_system as first_source_system,
    record.lead_source_name as lead_source,
    record.company_name,
    record.job_title,
    record.industry,
    record.employee_count,
    record.country,
    record.region,
    record.product_line,
    account.account_key,
    summary.lead_record_count,
    summary.source_system_count,
    cast(coalesce(journey.journey_count, 0) as bigint) as journey_count,
    coalesce(journey.has_won, 0) = 1 as is_customer
from summary
inner join record on summary.person_key = record.lead_record_key
left join journey on summary.person_key = journey.person_key
left join {{ ref('int_engagement__person_account') }} as account on summary.person_key = account.person_key
