{{ config(materialized='view') }}

select measure from {{ ref('kpi_measure') }}
where measure is not null
union
select conversion_definition || '.entered' as measure from {{ ref('conversion_definition') }}
where conversion_definition is not null
union
select conversion_definition || '.converted' as measure from {{ ref('conversion_definition') }}
where conversion_definition is not null
