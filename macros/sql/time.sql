{#- Exact seconds from one UTC timestamp to another, as a double; negative when the second is earlier. -#}
{% macro seconds_between(first, second) -%}
    {{ return(adapter.dispatch('seconds_between', 'leadlag')(first, second)) }}
{%- endmacro %}

{% macro default__seconds_between(first, second) -%}
    ((epoch_us({{ second }}) - epoch_us({{ first }})) / 1000000.0)
{%- endmacro %}

{% macro postgres__seconds_between(first, second) -%}
    cast(extract(epoch from ({{ second }}) - ({{ first }})) as double precision)
{%- endmacro %}

{% macro spark__seconds_between(first, second) -%}
    ((unix_micros({{ second }}) - unix_micros({{ first }})) / 1000000.0D)
{%- endmacro %}


{#- The calendar date of a UTC timestamp in the business time zone. -#}
{% macro business_date(timestamp) -%}
    {{ return(adapter.dispatch('local_date', 'leadlag')(timestamp, var('business_timezone', 'UTC'))) }}
{%- endmacro %}

{% macro default__local_date(timestamp, timezone) -%}
    cast({{ timestamp }} at time zone 'UTC' at time zone '{{ timezone }}' as date)
{%- endmacro %}

{% macro spark__local_date(timestamp, timezone) -%}
    cast(from_utc_timestamp({{ timestamp }}, '{{ timezone }}') as date)
{%- endmacro %}


{#- UTC timestamp at which a date begins in the business time zone. -#}
{% macro business_midnight(date) -%}
    {{ leadlag.naive_to_utc('cast(' ~ date ~ ' as timestamp)', var('business_timezone', 'UTC')) }}
{%- endmacro %}


{#- Whole days from one date to another. -#}
{% macro days_between(first, second) -%}
    {{ return(adapter.dispatch('days_between', 'leadlag')(first, second)) }}
{%- endmacro %}

{% macro default__days_between(first, second) -%}
    ({{ second }} - {{ first }})
{%- endmacro %}

{% macro spark__days_between(first, second) -%}
    datediff({{ second }}, {{ first }})
{%- endmacro %}
