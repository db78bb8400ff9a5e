{#- Standard normal quantile of the two-sided var confidence_level, as a number. -#}
{% macro normal_quantile() -%}
    {%- set quantiles = {0.80: 1.2815515655446004, 0.90: 1.6448536269514722, 0.95: 1.959963984540054, 0.99: 2.5758293035489004} -%}
    {%- set level = var('confidence_level', 0.95) | float -%}
    {%- if level not in quantiles -%}
        {{ exceptions.raise_compiler_error("var confidence_level: " ~ level ~ " is not one of 0.80, 0.90, 0.95, 0.99") }}
    {%- endif -%}
    {{ return(quantiles[level]) }}
{%- endmacro %}


{#- Student's t quantile of the two-sided var confidence_level, by its series in 1 / freedom (Abramowitz and Stegun 26.7.5): 2.0930
    for 19 degrees at 0.95. -#}
{% macro t_quantile(freedom) -%}
    {%- set z = leadlag.normal_quantile() -%}
    {{ return(z + (z ** 3 + z) / (4 * freedom) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2)) }}
{%- endmacro %}


{#- A number in double precision: without the cast two counts divide to an integer on PostgreSQL. -#}
{% macro double(value) -%}
    {{ return(adapter.dispatch('double', 'leadlag')(value)) }}
{%- endmacro %}

{% macro default__double(value) -%}
    cast({{ value }} as double precision)
{%- endmacro %}

{% macro spark__double(value) -%}
    cast({{ value }} as double)
{%- endmacro %}


{#- Part of a whole as a double; null when the whole is 0 or null. -#}
{% macro share(part, whole) -%}
    {{ leadlag.double(part) }} / nullif({{ whole }}, 0)
{%- endmacro %}


{#- Lower and upper limit of a share of two counts by Wilson (1927), doi 10.1080/01621459.1927.10502953. Null when the
    whole is 0 or null; exactly 0 and 1 at the ends. -#}
{% macro wilson_low(part, whole) -%}
    {{ leadlag.wilson_limit(part, whole, 'low') }}
{%- endmacro %}

{% macro wilson_high(part, whole) -%}
    {{ leadlag.wilson_limit(part, whole, 'high') }}
{%- endmacro %}

{% macro wilson_limit(part, whole, side) -%}
    {%- set z = leadlag.normal_quantile() -%}
    {%- set x = leadlag.double(part) -%}
    case
            when {{ whole }} = 0 then null
            when {{ part }} = {{ '0' if side == 'low' else whole }} then {{ leadlag.double('0' if side == 'low' else '1') }}
            else
                ({{ x }} + {{ z * z / 2 }} {{ '-' if side == 'low' else '+' }} {{ z }} * sqrt({{ x }} * (1 - {{ x }} / {{ whole }}) + {{ z * z / 4 }}))
                / ({{ whole }} + {{ z * z }})
        end
{%- endmacro %}


{#- Lower and upper limit of the difference of two independent shares, from the shares and their own Wilson limits:
    Newcombe (1998), method 10, doi 10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I. -#}
{% macro difference_low(rate, rate_low, other, other_high) -%}
    {{ rate }} - {{ other }} - sqrt(({{ rate }} - {{ rate_low }}) * ({{ rate }} - {{ rate_low }}) + ({{ other_high }} - {{ other }}) * ({{ other_high }} - {{ other }}))
{%- endmacro %}

{% macro difference_high(rate, rate_high, other, other_low) -%}
    {{ rate }} - {{ other }} + sqrt(({{ rate_high }} - {{ rate }}) * ({{ rate_high }} - {{ rate }}) + ({{ other }} - {{ other_low }}) * ({{ other }} - {{ other_low }}))
{%- endmacro %}


{#- Lower and upper limit of a cumulative incidence with its standard error, by the complementary log-log transform:
    1 - (1 - F)^exp(-+ z se / ((1 - F) ln(1 - F))). Without a competing event this is the usual interval S^exp(+-z sqrt(G) / ln S)
    of Kaplan-Meier (Kalbfleisch and Prentice 1980). Null at 0 and 1, where the transform has no value. -#}
{% macro incidence_low(incidence, standard_error) -%}
    {{ leadlag.incidence_limit(incidence, standard_error, '') }}
{%- endmacro %}

{% macro incidence_high(incidence, standard_error) -%}
    {{ leadlag.incidence_limit(incidence, standard_error, '-') }}
{%- endmacro %}

{% macro incidence_limit(incidence, standard_error, sign) -%}
    {%- set log_rest = 'ln(1 - ' ~ incidence ~ ')' -%}
    {#- The bounds change no limit by as much as a double can show; PostgreSQL refuses what lies beyond them. -#}
    case
            when {{ incidence }} > 0 and {{ incidence }} < 1
                then 1 - exp(greatest(-700, {{ log_rest }} * exp(least(700, {{ sign }}{{ leadlag.normal_quantile() }} * {{ standard_error }} / ((1 - {{ incidence }}) * {{ log_rest }})))))
        end
{%- endmacro %}


{#- Standard normal quantile that is exceeded with a given probability up to one half, for probabilities that a seed names: Abramowitz and
    Stegun (1964), 26.2.23, off by at most 0.00045. -#}
{% macro exceeded_quantile(probability) -%}
    {%- set t = 'sqrt(-2 * ln(' ~ leadlag.double(probability) ~ '))' -%}
    ({{ t }} - (2.515517 + 0.802853 * {{ t }} + 0.010328 * {{ t }} * {{ t }})
        / (1 + 1.432788 * {{ t }} + 0.189269 * {{ t }} * {{ t }} + 0.001308 * {{ t }} * {{ t }} * {{ t }}))
{%- endmacro %}


{#- Leads that a one-sided test of fixed size needs to tell two rates apart, by the normal approximation. row: alias of a vendor_trial. -#}
{% macro fixed_size(row) -%}
    {%- set low, high = leadlag.double(row ~ '.minimum_conversion'), leadlag.double(row ~ '.target_conversion') -%}
    {%- set reach = leadlag.exceeded_quantile(row ~ '.alpha') ~ ' * sqrt(' ~ low ~ ' * (1 - ' ~ low ~ ')) + '
        ~ leadlag.exceeded_quantile(row ~ '.beta') ~ ' * sqrt(' ~ high ~ ' * (1 - ' ~ high ~ '))' -%}
    cast(ceil(power(({{ reach }}) / nullif({{ high }} - {{ low }}, 0), 2)) as integer)
{%- endmacro %}
