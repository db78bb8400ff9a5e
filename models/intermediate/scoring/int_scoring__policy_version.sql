{{ config(materialized='ephemeral') }}

select
    version,
    {{ leadlag.business_midnight('valid_from') }} as valid_from_at,
    {{ leadlag.business_midnight('lead(valid_from) over (order by valid_from)') }} as valid_to_at
from (select distinct version, valid_from from {{ ref('lead_score_rule') }}) as version
