{{ config(severity='warn') }}

-- A KPI whose review date has passed is still computed; its owner is to look at it, or to retire it (practice LC3.6).
select
    owner,
    kpi,
    version,
    review_date
from {{ ref('kpi_review') }}
where review_state = 'overdue'
