{#- Parts of URLs, by position rather than by regular expressions, which cost several times as much. -#}

{#- Host in lower case, without www. and port; also of a bare domain or a URL without scheme. Null when there is none. -#}
{% macro url_host(url) -%}
    {%- set rest = "case when position('://' in " ~ url ~ ") > 0 then split_part(" ~ url ~ ", '://', 2) else " ~ url ~ " end" -%}
    {%- set authority = "split_part(split_part(split_part(split_part(" ~ rest ~ ", '/', 1), '?', 1), '#', 1), ':', 1)" -%}
    {%- set host = "lower(" ~ authority ~ ")" -%}
    case when {{ host }} like 'www.%' then substr({{ host }}, 5) when {{ host }} like '%_.%_' then {{ host }} end
{%- endmacro %}


{#- Path without query, fragment and trailing slash; / for the root. -#}
{% macro url_path(url) -%}
    {%- set address = "split_part(split_part(" ~ url ~ ", '#', 1), '?', 1)" -%}
    {%- set rest = "split_part(" ~ address ~ ", '://', 2)" -%}
    case
            when {{ url }} is null then null
            when position('://' in {{ address }}) = 0 then coalesce(nullif(trim(trailing '/' from {{ address }}), ''), '/')
            when position('/' in {{ rest }}) = 0 then '/'
            else coalesce(nullif(trim(trailing '/' from substr({{ rest }}, position('/' in {{ rest }}))), ''), '/')
        end
{%- endmacro %}


{#- Query with a leading &, ready for url_parameter; null when the URL has none. -#}
{% macro url_query(url) -%}
    case when position('?' in {{ url }}) > 0 then '&' || split_part(substr({{ url }}, position('?' in {{ url }}) + 1), '#', 1) end
{%- endmacro %}


{#- Value of a parameter of what url_query gave, still encoded except that + is a blank; null when absent or empty. -#}
{% macro url_parameter(query, name) -%}
    case
            when position('&{{ name }}=' in {{ query }}) > 0
                then nullif(replace(split_part(split_part({{ query }}, '&{{ name }}=', 2), '&', 1), '+', ' '), '')
        end
{%- endmacro %}


{#- The UTM parameters and the ad platform's click id of what url_query gave, as columns. -#}
{% macro url_campaign_columns(query) -%}
    {%- for name in ['utm_source', 'utm_medium', 'utm_campaign', 'utm_content', 'utm_term'] -%}
    {{ leadlag.url_parameter(query, name) }} as {{ name }},
        {% endfor -%}
    {%- set click_parameters = ['gclid', 'msclkid', 'fbclid', 'li_fat_id'] -%}
    case
            {%- for name in click_parameters %}
            when position('&{{ name }}=' in {{ query }}) > 0 then {{ leadlag.url_parameter(query, name) }}
            {%- endfor %}
        end as click_id,
        case
            {%- for name in click_parameters %}
            when position('&{{ name }}=' in {{ query }}) > 0 then '{{ name }}'
            {%- endfor %}
        end as click_id_type
{%- endmacro %}


{#- The columns of url_campaign_columns with their escapes decoded; source and medium in lower case, as they are compared. -#}
{% macro decoded_campaign_columns() -%}
    lower({{ leadlag.percent_decoded('utm_source') }}) as utm_source,
    lower({{ leadlag.percent_decoded('utm_medium') }}) as utm_medium,
    {{ leadlag.percent_decoded('utm_campaign') }} as utm_campaign,
    {{ leadlag.percent_decoded('utm_content') }} as utm_content,
    {{ leadlag.percent_decoded('utm_term') }} as utm_term,
    click_id,
    click_id_type
{%- endmacro %}
