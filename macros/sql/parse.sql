{#- Reading what loaders deliver: a value that cannot be read is null, never an error. -#}

{#- UTC timestamp of an ISO 8601 text. With Z or an offset (then seconds are required): converted. Without: UTC, or the
    given IANA time zone. Anything else is null. -#}
{% macro text_to_utc(text, timezone=none) -%}
    {{ return(adapter.dispatch('text_to_utc', 'leadlag')(text, timezone)) }}
{%- endmacro %}

{% macro default__text_to_utc(text, timezone) -%}
    {#- A cast to TIMESTAMP drops the offset without a word, one to TIMESTAMPTZ reads a bare time in the machine's zone. -#}
    case
            when {{ text }} like '%Z' or position('+' in {{ text }}) > 0 or {{ text }} like '____-__-__%-%'
                then {{ leadlag.instant_to_utc('try_cast(' ~ text ~ ' as timestamptz)') }}
            else {{ leadlag.naive_to_utc('try_cast(' ~ text ~ ' as timestamp)', timezone) }}
        end
{%- endmacro %}

{% macro postgres__text_to_utc(text, timezone) -%}
    {#- No try_cast before PostgreSQL 16: only what surely is a time is cast. -#}
    {%- set leap = '([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29' -%}
    {%- set day = '(0[1-9]|1[0-9]|2[0-8])' -%}
    {%- set date = '(' ~ leap ~ '|[0-9]{4}-(0[1-9]|1[0-2])-' ~ day ~ '|[0-9]{4}-(0[13-9]|1[0-2])-(29|30)|[0-9]{4}-(0[13578]|1[02])-31)' -%}
    {%- set hours_minutes = '([01]?[0-9]|2[0-3]):[0-5][0-9]' -%}
    {%- set seconds = ':[0-5][0-9]([.][0-9]+)?' -%}
    {%- set offset = '(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)' -%}
    case
            when {{ text }} ~ '^{{ date }}[ T]{{ hours_minutes }}{{ seconds }}{{ offset }}$'
                then cast({{ text }} as timestamptz) at time zone 'UTC'
            when {{ text }} ~ '^{{ date }}([ T]{{ hours_minutes }}({{ seconds }})?( UTC)?)?$'
                then {{ leadlag.naive_to_utc('cast(' ~ text ~ ' as timestamp)', timezone) }}
        end
{%- endmacro %}

{% macro spark__text_to_utc(text, timezone) -%}
    {#- The session's time zone is UTC (the profile sets it), so a bare time is read as UTC. -#}
    case
            when {{ text }} rlike '[0-9](Z|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})$' and {{ text }} like '____-__-__%:%'
                then try_cast(regexp_replace({{ text }}, '([+-][0-9]{2}):?([0-9]{2})?$', '$1:$2') as timestamp)
            else {{ leadlag.naive_to_utc('try_cast(' ~ text ~ ' as timestamp)', timezone) }}
        end
{%- endmacro %}


{#- UTC timestamp (without zone) of a timestamp with time zone. -#}
{% macro instant_to_utc(instant) -%}
    {{ return(adapter.dispatch('instant_to_utc', 'leadlag')(instant)) }}
{%- endmacro %}

{% macro default__instant_to_utc(instant) -%}
    {#- As fast as reading an integer; `at time zone` costs forty times as much. -#}
    make_timestamp(epoch_us({{ instant }}))
{%- endmacro %}

{% macro postgres__instant_to_utc(instant) -%}
    ({{ instant }} at time zone 'UTC')
{%- endmacro %}

{% macro spark__instant_to_utc(instant) -%}
    {{ instant }}
{%- endmacro %}


{#- UTC timestamp of a wall-clock timestamp of an IANA time zone; without one it is UTC already. -#}
{% macro naive_to_utc(timestamp, timezone=none) -%}
    {%- if timezone is none -%}
    {{ return(timestamp) }}
    {%- endif -%}
    {{ return(adapter.dispatch('naive_to_utc', 'leadlag')(timestamp, timezone)) }}
{%- endmacro %}

{% macro default__naive_to_utc(timestamp, timezone) -%}
    ({{ timestamp }} at time zone '{{ timezone }}' at time zone 'UTC')
{%- endmacro %}

{% macro spark__naive_to_utc(timestamp, timezone) -%}
    to_utc_timestamp({{ timestamp }}, '{{ timezone }}')
{%- endmacro %}


{#- Microseconds since 1970 of a UTC timestamp: the same text on every engine where a time is part of a key. -#}
{% macro epoch_us(timestamp) -%}
    {{ return(adapter.dispatch('epoch_us', 'leadlag')(timestamp)) }}
{%- endmacro %}

{% macro default__epoch_us(timestamp) -%}
    epoch_us({{ timestamp }})
{%- endmacro %}

{% macro postgres__epoch_us(timestamp) -%}
    cast(round(extract(epoch from {{ timestamp }}) * 1000000) as bigint)
{%- endmacro %}

{% macro spark__epoch_us(timestamp) -%}
    unix_micros({{ timestamp }})
{%- endmacro %}


{#- A text, or a number of another type, as decimal(18,2) or bigint. -#}
{% macro try_number(value, type) -%}
    {{ return(adapter.dispatch('try_number', 'leadlag')(value, type)) }}
{%- endmacro %}

{% macro default__try_number(value, type) -%}
    try_cast({{ value }} as {{ type }})
{%- endmacro %}

{% macro postgres__try_number(value, type) -%}
    {%- set text = 'trim(cast(' ~ value ~ ' as text))' -%}
    case
            when {{ text }} ~ '^[+-]?([0-9]{1,30}([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]{1,2})?$' then
                case when abs(cast({{ text }} as numeric)) < 1e15 then cast(cast({{ text }} as numeric) as {{ type }}) end
        end
{%- endmacro %}

{% macro spark__try_number(value, type) -%}
    {{ 'cast(round(' if type == 'bigint' }}try_cast({{ value }} as {{ 'decimal(38,6)' if type == 'bigint' else type }}){{ ') as bigint)' if type == 'bigint' }}
{%- endmacro %}


{#- %XX escapes of a URL part decoded; what is no valid UTF-8 stays as it was. -#}
{% macro percent_decoded(text) -%}
    {{ return(adapter.dispatch('percent_decoded', 'leadlag')(text)) }}
{%- endmacro %}

{% macro default__percent_decoded(text) -%}
    case when position('%' in {{ text }}) > 0 then coalesce(try(url_decode({{ text }})), {{ text }}) else {{ text }} end
{%- endmacro %}

{% macro postgres__percent_decoded(text) -%}
    {#- Each escape is put among the bytes of its neighbours; UTF-8 is checked by its byte pattern, since convert_from would fail. -#}
    case
            when
                {{ text }} ~ '%[0-9A-Fa-f]{2}'
                and {{ text }} !~* '%00'
                and regexp_replace(
                    {{ text }},
                    '%([2-7][0-9a-f]|[01][1-9a-f]|10|(c[2-9a-f]|d[0-9a-f])%[89ab][0-9a-f]|(e0%[ab][0-9a-f]|e[1-9a-cef]%[89ab][0-9a-f]|ed%[89][0-9a-f])%[89ab][0-9a-f])',
                    '', 'gi'
                ) !~ '%[0-9A-Fa-f]{2}'
                then (
                    select convert_from(
                        string_agg(
                            case
                                when piece.match[1] ~ '^%[0-9A-Fa-f]{2}$' then decode(substr(piece.match[1], 2), 'hex')
                                else convert_to(piece.match[1], 'UTF8')
                            end,
                            '' order by piece.place
                        ), 'UTF8')
                    from regexp_matches({{ text }}, '(%[0-9A-Fa-f]{2}|[^%]+|%)', 'g') with ordinality as piece (match, place)
                )
            else {{ text }}
        end
{%- endmacro %}

{% macro spark__percent_decoded(text) -%}
    {#- A % that begins no escape would make the whole text undecodable. -#}
    {%- set escaped = "regexp_replace(" ~ text ~ ", '%(?![0-9A-Fa-f]{2})', '%25')" -%}
    case when position('%' in {{ text }}) > 0 then coalesce(try_url_decode({{ escaped }}), {{ text }}) else {{ text }} end
{%- endmacro %}


{#- One row a piece of a separated text, as an expression of a select list. -#}
{% macro text_rows(text, separator) -%}
    {{ return(adapter.dispatch('text_rows', 'leadlag')(text, separator)) }}
{%- endmacro %}

{% macro default__text_rows(text, separator) -%}
    unnest(string_to_array(replace({{ text }}, ' ', ''), '{{ separator }}'))
{%- endmacro %}

{% macro spark__text_rows(text, separator) -%}
    explode(split(replace({{ text }}, ' ', ''), '{{ separator }}'))
{%- endmacro %}


{#- A text as a sort key: by its bytes, whatever the collation of the database, so that ties fall alike everywhere. -#}
{% macro byte_order(text) -%}
    {{ return(adapter.dispatch('byte_order', 'leadlag')(text)) }}
{%- endmacro %}

{% macro default__byte_order(text) -%}
    {{ text }}
{%- endmacro %}

{% macro postgres__byte_order(text) -%}
    {{ text }} collate "C"
{%- endmacro %}
