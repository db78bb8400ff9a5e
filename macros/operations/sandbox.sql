{#- `leadlag sandbox` builds with var sandbox_champion: model -> the champion's relation. A relation of one side of the comparison;
    ref gives the challenger's where it was built and, deferred, the champion's where both are the same. -#}
{% macro sandbox_relation(model, side) -%}
    {{ return(var('sandbox_champion', {})[model] if side == 'champion' else ref(model)) }}
{%- endmacro %}
