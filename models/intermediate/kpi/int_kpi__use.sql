{{ config(materialized='view') }}

with used as (

    {%- for role in ['numerator', 'denominator'] %}
    select
        {{ role }}_use_key as use_key,
        {{ role }}_measure as measure,
        scope_region,
        scope_product_line,
        weight_scheme
    from {{ ref('int_kpi__definition') }}
    where {{ role }}_use_key is not null
    {%- if not loop.last %}
    union
    {%- endif %}
    {%- endfor %}

)

select
    used.*,
    coalesce(measure.has_segments, true) as has_segments
from used
left join {{ ref('kpi_measure') }} as measure on used.measure = measure.measure
