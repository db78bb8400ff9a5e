{#- A table, so that PostgreSQL knows how many rows it has: it took a view for one row, to be asked again for each piece. -#}
-- The closest row of a scheme: one that names the region before one that names the product line.
with ranked as (

    select
        weight.weight_scheme,
        segment.segment_key,
        weight.weight,
        row_number() over (
            partition by weight.weight_scheme, segment.segment_key
            order by
                case when weight.region = '*' then 0 else 2 end + case when weight.product_line = '*' then 0 else 1 end desc
        ) as closeness
    from {{ ref('kpi_weight') }} as weight
    inner join {{ ref('int_kpi__segment') }} as segment
        on weight.region in ('*', segment.region) and weight.product_line in ('*', segment.product_line)

)

select
    weight_scheme,
    segment_key,
    weight
from ranked
where closeness = 1
