{#- A channel's share of a conversion by weights: weight, total_weight and channel_count of the channels on its path. Alike where nothing
    weighs, as before the first estimate. -#}
{% macro set_share() -%}
    case
            when total_weight > 0 then coalesce(weight, 0) / total_weight
            else {{ leadlag.double(1) }} / channel_count
        end
{%- endmacro %}
