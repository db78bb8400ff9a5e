with series as (

    select distinct
        series_key,
        kpi,
        region,
        product_line
    from {{ ref('int_kpi__control_point') }}

)

select
    change.org_change,
    change.changed_on,
    series.series_key
from {{ ref('org_change') }} as change
inner join series
    on
        change.kpi in ('*', series.kpi)
        and change.region in ('*', series.region)
        and change.product_line in ('*', series.product_line)
