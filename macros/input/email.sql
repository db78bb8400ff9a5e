{#- An e-mail address as it is compared: lower case, without blanks, angle brackets and a leading mailto:. -#}
{% macro normalized_email(email) -%}
    {%- set bare = "trim(both '<> ' from lower(" ~ email ~ "))" -%}
    case when {{ bare }} like 'mailto:%' then trim(both '<> ' from substr({{ bare }}, 8)) else {{ bare }} end
{%- endmacro %}


{#- Hashed e-mail, or null unless the text can be an address: one @ with something before it, a dot inside the domain,
    no blank, comma or semicolon. -#}
{% macro email_key(email) -%}
    {%- set address = '(' ~ leadlag.normalized_email(email) ~ ')' -%}
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
