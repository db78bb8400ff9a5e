{{ config(materialized='view') }}

select * from {{ ref('int_kpi__journey_measure') }}
union all
select * from {{ ref('int_kpi__conversion_measure') }}
union all
select * from {{ ref('int_kpi__opportunity_measure') }}
union all
select * from {{ ref('int_kpi__spend_measure') }}
