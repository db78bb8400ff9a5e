{#- Nelson (1984), Journal of Quality Technology 16(4). Rule: the points that count; so many of them among so many in a row, the last of
    which has to count itself. Differences below 1e-9 sigma are none, so that every engine sees the same ties. -#}
{%- set patterns = {
    1: [['abs(z) > 3 + 1e-9', 1, 1]],
    2: [['z > 1e-9', 9, 9], ['z < -1e-9', 9, 9]],
    3: [['step > 1e-9', 5, 5], ['step < -1e-9', 5, 5]],
    4: [['is_turn', 12, 12]],
    5: [['z > 2 + 1e-9', 2, 3], ['z < -2 - 1e-9', 2, 3]],
    6: [['z > 1 + 1e-9', 4, 5], ['z < -1 - 1e-9', 4, 5]],
    7: [['abs(z) < 1 - 1e-9', 15, 15]],
    8: [['abs(z) > 1 + 1e-9', 8, 8]],
} %}

with stepped as (

    select
        kpi_value_key,
        series_key,
        phase_number,
        period_start,
        z,
        z - lag(z) over (partition by series_key, phase_number order by period_start) as step
    from {{ ref('int_kpi__control_limit') }}
    where is_tested

),

turned as (

    select
        stepped.*,
        lag(step) over (partition by series_key, phase_number order by period_start) as earlier_step
    from stepped

),

point as (

    select
        turned.*,
        (step > 1e-9 and earlier_step < -1e-9) or (step < -1e-9 and earlier_step > 1e-9) as is_turn
    from turned

)

select
    kpi_value_key
    {%- for rule, sides in patterns.items() %},
    {% for counts, needed, points in sides -%}
    {{ 'or ' if not loop.first }}coalesce({{ counts }} and count(case when {{ counts }} then 1 end) over (
        partition by series_key, phase_number order by period_start rows between {{ points - 1 }} preceding and current row
    ) >= {{ needed }}, false)
    {%- endfor %} as rule_{{ rule }}
    {%- endfor %}
from point
