{%- set measures = {
    'records_delivered': 'delivered', 'records_invalid': 'is_invalid', 'records_duplicate': 'is_duplicate',
    'records_deleted': 'is_deleted', 'records_without_email': 'has_no_email', 'early_entries': 'early', 'late_entries': 'late',
} -%}

with measure as (

    select * from {{ ref('int_closed_loop__source_measure') }}

),

unit as (

    select review, 'lead_source' as unit_type, lead_source as unit, measured, counted, cost_base from measure
    union all
    select review, 'vendor' as unit_type, vendor as unit, measured, counted, cost_base from measure
    where vendor is not null
    union all
    select review, 'all' as unit_type, '(all)' as unit, measured, counted, cost_base from measure

)

select
    review,
    unit_type,
    unit,
    {%- for name, measured in measures.items() %}
    count(case when measured = '{{ measured }}' then 1 end) as {{ name }},
    {%- endfor %}
    cast(coalesce(sum(case when measured = 'early' then counted end), 0) as bigint) as early_conversions,
    cast(coalesce(sum(case when measured = 'late' then counted end), 0) as bigint) as late_conversions,
    sum(cost_base) as cost_base
from unit
group by review, unit_type, unit
