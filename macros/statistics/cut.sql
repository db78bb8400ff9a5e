{#- Columns cut_name and cut_value of a query over grouping sets that each name at most one of the cuts. What nobody
    recorded is '(not recorded)', which is not 'unknown'; without a cut it is total and '(all)'. -#}
{% macro cut_columns(cuts) -%}
    case
        {%- for cut in cuts %}
            when grouping({{ cut }}) = 0 then '{{ cut }}'
        {%- endfor %}
            else 'total'
        end as cut_name,
        case
        {%- for cut in cuts %}
            when grouping({{ cut }}) = 0 then coalesce(cast({{ cut }} as {{ dbt.type_string() }}), '(not recorded)')
        {%- endfor %}
            else '(all)'
        end as cut_value
{%- endmacro %}
