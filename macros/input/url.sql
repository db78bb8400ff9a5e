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


{#- Value of a parameter of a query that begins with &, still encoded except that + is a blank; null when absent or empty. -#}
{% macro url_parameter(query, name) -%}
    nullif(replace(split_part(split_part({{ query }}, '&{{ name }}=', 2), '&', 1), '+', ' '), '')
{%- endmacro %}
