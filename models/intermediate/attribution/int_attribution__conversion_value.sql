{{ config(materialized='view') }}

select
    journey_key,
    sum(gross_margin) as gross_margin
from {{ ref('int_kpi__opportunity') }}
where won_date is not null and journey_key is not null
group by journey_key
