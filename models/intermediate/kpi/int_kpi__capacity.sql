{{ config(materialized='view') }}

select
    kpi,
    cut_name,
    cut_value,
    capacity_per_week,
    valid_from,
    lead(valid_from) over (partition by kpi, cut_name, cut_value order by valid_from) as valid_to
from {{ ref('capacity') }}
