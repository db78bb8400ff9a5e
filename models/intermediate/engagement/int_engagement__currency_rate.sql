{{ config(materialized='ephemeral') }}

select
    currency_code,
    rate_to_base,
    valid_from,
    coalesce(lead(valid_from) over (partition by currency_code order by valid_from), cast('9999-12-31' as date)) as valid_to
from {{ ref('currency_rate') }}
