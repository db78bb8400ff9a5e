{{ config(materialized='view') }}

with ranked as (

    select
        benchmark.region,
        kpi.kpi,
        benchmark.target_factor,
        row_number() over (
            partition by benchmark.region, kpi.kpi order by case when benchmark.kpi = '*' then 0 else 1 end desc
        ) as closeness
    from {{ ref('kpi_benchmark') }} as benchmark
    inner join (select distinct kpi from {{ ref('kpi') }}) as kpi on benchmark.kpi in ('*', kpi.kpi)

)

select
    region,
    kpi,
    target_factor
from ranked
where closeness = 1
