{{ config(materialized='view') }}

-- 1900-01-01 stands for all quarters that every score was judged in, so that the same journeys are compared.
select
    judged.*,
    quarter_start as period_start
from {{ ref('int_scoring__judged') }} as judged
union all
select
    judged.*,
    cast('1900-01-01' as date) as period_start
from {{ ref('int_scoring__judged') }} as judged
where is_compared
