{{ config(materialized='view') }}

with role as (

    select numerator_measure as measure, kpi, scope_region, scope_product_line, weight_scheme from {{ ref('int_kpi__definition') }}
    union all
    select denominator_measure as measure, kpi, scope_region, scope_product_line, weight_scheme from {{ ref('int_kpi__definition') }}

)

select distinct
    role.measure,
    role.scope_region,
    role.scope_product_line,
    role.weight_scheme,
    coalesce(measure.has_segments, true) as has_segments
from role
left join {{ ref('kpi_measure') }} as measure on role.measure = measure.measure
where role.measure is not null
