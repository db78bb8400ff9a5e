{#- Limits of a sum of credits, or of other amounts of events that come as a Poisson process: Dobson et al. (1991, Statistics in Medicine 10,
    457), from the limits of the count by Byar. Of nothing seen the upper limit is that of a count of 0 events
    that are worth `unit` each. -#}
{% macro credit_low(total, variance, count) -%}
    {%- set z = leadlag.normal_quantile() -%}
    case
            when {{ count }} = 0 then {{ leadlag.double(0) }}
            else greatest(
                {{ total }} + sqrt({{ variance }} / {{ count }}) * (
                    {{ count }} * power(
                        1 - 1 / ({{ leadlag.double(9) }} * {{ count }}) - {{ z / 3 }} / sqrt({{ leadlag.double(count) }}), 3
                    ) - {{ count }}
                ), 0
            )
        end
{%- endmacro %}

{% macro credit_high(total, variance, count, unit) -%}
    {%- set z = leadlag.normal_quantile() -%}
    case
            when {{ count }} = 0 then {{ unit }} * {{ (1 - 1 / 9 + z / 3) ** 3 }}
            else {{ total }} + sqrt({{ variance }} / {{ count }}) * (
                ({{ count }} + 1) * power(
                    1 - 1 / ({{ leadlag.double(9) }} * ({{ count }} + 1)) + {{ z / 3 }} / sqrt({{ leadlag.double(count ~ ' + 1') }}), 3
                ) - {{ count }}
            )
        end
{%- endmacro %}
