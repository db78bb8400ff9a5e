{#- An e-mail address as it is compared: lower case, without outer white space (exports leave tabs and line ends),
    angle brackets and a leading mailto:. -#}
{% macro normalized_email(email) -%}
    {%- set blank = "translate(lower(" ~ email ~ "), chr(9) || chr(10) || chr(13), '   ')" -%}
    trim(both '<> ' from regexp_replace({{ blank }}, '^[< ]*mailto:', ''))
{%- endmacro %}


{#- Hash of a normalised address, or null unless the text can be one: one @ with something before it, a dot inside the
    domain, no blank, comma or semicolon. -#}
{% macro address_key(address) -%}
    case
        when
            {{ address }} like '_%@_%._%'
            and {{ address }} not like '%@%@%'
            and {{ address }} not like '%@.%'
            and {{ address }} not like '%.'
            and {{ address }} not like '% %'
            and {{ address }} not like '%,%'
            and {{ address }} not like '%;%'
            then {{ leadlag.key([address]) }}
    end
{%- endmacro %}


{#- Hash of an address as delivered; null when it cannot be one. -#}
{% macro email_key(email) -%}
    {{ leadlag.address_key('(' ~ leadlag.normalized_email(email) ~ ')') }}
{%- endmacro %}
