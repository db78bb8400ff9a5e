{#- A campaign's name as links and platforms spell it: lower case, a blank or hyphen like an underscore. -#}
{% macro campaign_slug(name) -%}
    lower(replace(replace(trim({{ name }}), ' ', '_'), '-', '_'))
{%- endmacro %}
