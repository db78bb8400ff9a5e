{{ config(materialized='view') }}
-- depends_on: {{ ref('int_policy__violation') }}

with delivered as (
    {{ leadlag.unite('lead_record') }}
),

addressed as (

    select
        {{ leadlag.key(['source_system', 'record_type', 'source_id']) }} as lead_record_key,
        {{ leadlag.normalized_email('email') }} as email,
        full_name,
        phone,
        known_at
    from delivered

)

select
    lead_record_key,
    {{ leadlag.address_key('email') }} as email_key,
    email,
    full_name,
    phone,
    known_at
from addressed
