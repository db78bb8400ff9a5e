{#- The stable key of a natural key: the first 15 hex digits of its md5 as a bigint (60 bits), equal on every engine and run.
    Parts are joined by '|'; a null part counts as an empty text. -#}
{% macro key(parts) %}
    {%- set texts = [] -%}
    {%- for part in parts -%}
        {%- do texts.append("coalesce(cast(" ~ part ~ " as " ~ dbt.type_string() ~ "), '')") -%}
    {%- endfor -%}
    {{ return(adapter.dispatch('key_of_text', 'leadlag')(texts | join(" || '|' || "))) }}
{% endmacro %}

{% macro default__key_of_text(text) -%}
    cast('0x' || substr(md5({{ text }}), 1, 15) as bigint)
{%- endmacro %}

{% macro postgres__key_of_text(text) -%}
    cast(cast('x' || substr(md5({{ text }}), 1, 15) as bit(60)) as bigint)
{%- endmacro %}

{% macro spark__key_of_text(text) -%}
    cast(conv(substr(md5({{ text }}), 1, 15), 16, 10) as bigint)
{%- endmacro %}


{#- A key made of two keys, for tables so large that a digest of texts would be most of their cost: bits of either exclusive. -#}
{% macro combined_key(first, second) -%}
    {{ return(adapter.dispatch('combined_key', 'leadlag')(first, second)) }}
{%- endmacro %}

{% macro default__combined_key(first, second) -%}
    xor({{ first }}, {{ second }})
{%- endmacro %}

{% macro postgres__combined_key(first, second) -%}
    ({{ first }} # {{ second }})
{%- endmacro %}

{% macro spark__combined_key(first, second) -%}
    ({{ first }} ^ {{ second }})
{%- endmacro %}


{#- A digest of several columns as a bigint, to tell whether a row has changed. It differs between engines, and may between their
    versions: then every row counts as changed. -#}
{% macro row_digest(columns) -%}
    {{ return(adapter.dispatch('row_digest', 'leadlag')(columns | join(', '))) }}
{%- endmacro %}

{% macro default__row_digest(columns) -%}
    cast(hash({{ columns }}) >> 1 as bigint)
{%- endmacro %}

{% macro postgres__row_digest(columns) -%}
    hash_record_extended(row({{ columns }}), 0)
{%- endmacro %}

{% macro spark__row_digest(columns) -%}
    xxhash64({{ columns }})
{%- endmacro %}
