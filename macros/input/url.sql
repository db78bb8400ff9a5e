{#- Parts of URLs, by position rather than by regular expressions, which cost several times as much. -#}

{#- Host in lower case, without port; also of a bare domain or a URL without scheme. -#}
{% macro url_host(url) -%}
    lower(split_part(split_part(split_part(
            case when position('://' in {{ url }}) > 0 then split_part({{ url }}, '/', 3) else split_part({{ url }}, '/', 1) end,
            ':', 1), '?', 1), '#', 1))
{%- endmacro %}


{#- Domain of what url_host gave: without www.; null unless it has a dot inside. -#}
{% macro url_domain(host) -%}
    case when {{ host }} like 'www.%' then substr({{ host }}, 5) when {{ host }} like '%_.%_' then {{ host }} end
{%- endmacro %}


{#- The URL without query and fragment. -#}
{% macro url_address(url) -%}
    case
            when position('?' in {{ url }}) > 0 or position('#' in {{ url }}) > 0
                then split_part(split_part({{ url }}, '#', 1), '?', 1)
            else {{ url }}
        end
{%- endmacro %}


{#- Path of what url_address gave, without trailing slashes; / for the root. A host has no slash, so the first one after
    the eighth character (https://) begins the path. -#}
{% macro url_path(address) -%}
    {%- set path = "substr(" ~ address ~ ", 8 + position('/' in (substr(" ~ address ~ ", 9) || '/')))" -%}
    case
            when position('://' in {{ address }}) > 0 then coalesce(nullif(trim(trailing '/' from {{ path }}), ''), '/')
            else nullif({{ address }}, '')
        end
{%- endmacro %}


{#- Query with a leading &, ready for url_parameter; null when the URL has none. -#}
{% macro url_query(url) -%}
    case when position('?' in {{ url }}) > 0 then '&' || split_part(substr({{ url }}, position('?' in {{ url }}) + 1), '#', 1) end
{%- endmacro %}


{#- Value of a parameter of what url_query gave, still encoded except that + is a blank; null when absent or empty. -#}
{% macro url_parameter(query, name) -%}
    nullif(replace(split_part(split_part({{ query }}, '&{{ name }}=', 2), '&', 1), '+', ' '), '')
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
