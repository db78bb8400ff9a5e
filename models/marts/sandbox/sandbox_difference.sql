{{ config(enabled=var('sandbox_champion', none) is not none) }}

{%- set moves = [('numerator', 'in'), ('numerator', 'out'), ('denominator', 'in'), ('denominator', 'out')] %}

with moved as (

    select
        moved.*,
        row_number() over (partition by definition_type, definition, variant, role, direction order by subject_key) as move_number
    from {{ ref('int_sandbox__moved') }} as moved

),

counted as (

    select
        definition_type,
        definition,
        variant,
        {%- for role, direction in moves %}
        {%- set those = "role = '" ~ role ~ "' and direction = '" ~ direction ~ "'" %}
        count(case when {{ those }} then 1 end) as {{ role }}_{{ direction }},
        {{ leadlag.sorted_list(
            "case when " ~ those ~ " and move_number <= 5 then cast(subject_key as " ~ dbt.type_string() ~ ") end", ', '
        ) }} as {{ role }}_{{ direction }}_keys{{ ',' if not loop.last }}
        {%- endfor %}
    from moved
    group by definition_type, definition, variant

),

definition as (

    select
        definition_type,
        definition,
        variant,
        max(quarter_start) as quarter_start,
        min(case when is_final then 1 when not is_final then 0 end) = 1 as is_final
    from {{ ref('int_sandbox__value') }}
    group by definition_type, definition, variant

),

compared as (

    select
        definition.*,
        {%- for side in ['champion', 'challenger'] %}
        {%- for column in ['version', 'numerator', 'denominator', 'value', 'value_low', 'value_high', 'weighted_value'] %}
        {{ side }}.{{ column }} as {{ side }}_{{ column }},
        {%- endfor %}
        {%- endfor %}
        {%- for role, direction in moves %}
        coalesce(counted.{{ role }}_{{ direction }}, 0) as {{ role }}_{{ direction }},
        counted.{{ role }}_{{ direction }}_keys{{ ',' if not loop.last }}
        {%- endfor %}
    from definition
    {%- for side in ['champion', 'challenger'] %}
    left join {{ ref('int_sandbox__value') }} as {{ side }}
        on
            {{ side }}.side = '{{ side }}'
            and definition.definition_type = {{ side }}.definition_type
            and definition.definition = {{ side }}.definition
            and definition.variant = {{ side }}.variant
    {%- endfor %}
    left join counted
        on
            definition.definition_type = counted.definition_type
            and definition.definition = counted.definition
            and definition.variant = counted.variant

)

select
    definition_type,
    definition,
    variant,
    quarter_start,
    is_final,
    {%- for side in ['champion', 'challenger'] %}
    {%- for column in ['version', 'numerator', 'denominator', 'value', 'value_low', 'value_high', 'weighted_value'] %}
    {{ side }}_{{ column }},
    {%- endfor %}
    {%- endfor %}
    challenger_value - champion_value as difference,
    {%- for role, direction in moves %}
    {{ role }}_{{ direction }},
    {{ role }}_{{ direction }}_keys,
    {%- endfor %}
    numerator_in + numerator_out + denominator_in + denominator_out > 0
    or coalesce(abs(challenger_value - champion_value) > 1e-9 * abs(champion_value), (challenger_value is null) <> (champion_value is null))
    or coalesce(abs(challenger_weighted_value - champion_weighted_value) > 1e-9 * abs(champion_weighted_value), false)
    or coalesce(champion_version, 0) <> coalesce(challenger_version, 0) as is_changed
from compared
