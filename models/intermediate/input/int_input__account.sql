{{ config(materialized='view') }}

select checked.*
from {{ ref('int_input__account_checked') }} as checked
inner join {{ ref('int_input__clock') }} as clock
    on checked.known_at <= clock.as_of or checked.known_at is null
where checked.quarantine_rule is null
