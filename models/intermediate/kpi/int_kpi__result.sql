{{ config(materialized='view') }}

with value as (

    select * from {{ ref('int_kpi__value') }}
    union all
    select * from {{ ref('int_kpi__product') }}

)

select
    value.*,
    value.volume >= value.minimum_volume as is_reliable,
    value.next_period_start <= clock.as_of_date and value.pending_count = 0 as is_mature
from value
cross join {{ ref('int_input__clock') }} as clock
where value.is_in_force
