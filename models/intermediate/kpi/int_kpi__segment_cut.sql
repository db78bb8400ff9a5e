{%- set attributes = leadlag.segment_attributes() -%}

with cut as (

    select distinct cut, second_cut from {{ ref('kpi_cut') }}

),

valued as (

    select
        segment.segment_key,
        cut.cut,
        cut.second_cut,
        {%- for column in ['cut', 'second_cut'] %}
        case cut.{{ column }}
            {%- for attribute in attributes %}
            when '{{ attribute }}' then segment.{{ attribute }}
            {%- endfor %}
        end as {{ column }}_value{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_kpi__segment') }} as segment
    cross join cut

),

named as (

    select
        segment_key,
        cut || coalesce(' x ' || second_cut, '') as cut_name,
        cut_value || coalesce(' x ' || second_cut_value, '') as cut_value
    from valued
    union all
    select
        segment_key,
        'total' as cut_name,
        '(all)' as cut_value
    from {{ ref('int_kpi__segment') }}

)

select
    segment_key,
    {{ leadlag.key(['cut_name', 'cut_value']) }} as cut_key,
    cut_name,
    cut_value
from named
