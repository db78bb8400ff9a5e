{{ config(enabled=var('sandbox_champion', none) is not none) }}

{%- set sides = ['champion', 'challenger'] %}

with quarter as (

    select distinct
        definition,
        variant,
        quarter_start
    from {{ ref('int_sandbox__value') }}
    where definition_type = 'kpi'

),

member as (
    {% for side in sides %}
    {%- for role in ['numerator', 'denominator'] %}
    select
        '{{ side }}' as side,
        'conversion_definition' as definition_type,
        conversion_definition as definition,
        'global' as variant,
        '{{ role }}' as role,
        'journey' as subject,
        journey_key as subject_key
    from {{ leadlag.sandbox_relation('fct_conversion', side) }}
    where in_{{ role }}
    union all
    {%- endfor %}
    select
        '{{ side }}' as side,
        'kpi' as definition_type,
        member.kpi as definition,
        member.variant,
        member.role,
        member.subject,
        member.subject_key
    from {{ leadlag.sandbox_relation('kpi_member', side) }} as member
    inner join quarter
        on member.kpi = quarter.definition and member.variant = quarter.variant and member.period_start = quarter.quarter_start
    where member.period_grain = 'quarter' and member.cut_name = 'total' and member.is_counted
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select
    definition_type,
    definition,
    variant,
    role,
    subject,
    subject_key,
    case when max(case when side = 'champion' then 1 else 0 end) = 1 then 'out' else 'in' end as direction
from member
group by definition_type, definition, variant, role, subject, subject_key
having count(distinct side) = 1
