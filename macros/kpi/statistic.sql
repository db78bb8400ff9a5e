{#- Lower and upper limit of a count by Byar's approximation of the Poisson interval (Breslow and Day 1987, section 2.3). -#}
{% macro count_low(count) -%}
    case
            when {{ count }} > 0
                then {{ count }} * power(1 - 1 / (9 * {{ count }}) - {{ leadlag.normal_quantile() }} / (3 * sqrt({{ count }})), 3)
            else {{ leadlag.double(0) }}
        end
{%- endmacro %}

{% macro count_high(count) -%}
    ({{ count }} + 1) * power(1 - 1 / (9 * ({{ count }} + 1)) + {{ leadlag.normal_quantile() }} / (3 * sqrt({{ count }} + 1)), 3)
{%- endmacro %}
