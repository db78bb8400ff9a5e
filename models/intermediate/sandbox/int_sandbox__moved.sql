{{ config(enabled=var('sandbox_champion', none) is not none) }}

{%- set sides = ['champion', 'challenger'] %}

with member as (
    {% for side in sides %}
    {%- for role in ['numerator', 'denominator'] %}
    select
        '{{ side }}' as side,
        'conversion_definition' as definition_type,
        conversion_definition as definition,
        'global' as variant,
        '{{ role }}' as role,
        cast(null as date) as quarter_start,
        'journey' as subject,
        journey_key as subject_key
    from {{ leadlag.sandbox_relation('fct_conversion', side) }}
    where in_{{ role }}
    union all
    {%- endfor %}
    select
        '{{ side }}' as side,
        'kpi' as definition_type,
        kpi as definition,
        variant,
        role,
        period_start as quarter_start,
        subject,
        subject_key
    from {{ leadlag.sandbox_relation('kpi_member', side) }}
    where period_grain = 'quarter' and cut_name = 'total' and is_counted
    {{ 'union all' if not loop.last }}
    {%- endfor %}

),

-- Of all quarters: joined to the compared ones before, PostgreSQL would go through the view once a KPI.
moved as (

    select
        definition_type,
        definition,
        variant,
        role,
        quarter_start,
        subject,
        subject_key,
        case when max(case when side = 'champion' then 1 else 0 end) = 1 then 'out' else 'in' end as direction
    from member
    group by definition_type, definition, variant, role, quarter_start, subject, subject_key
    having count(distinct side) = 1

),

compared as (

    select distinct
        definition_type,
        definition,
        variant,
        quarter_start
    from {{ ref('int_sandbox__value') }}

)

select
    moved.definition_type,
    moved.definition,
    moved.variant,
    moved.role,
    moved.subject,
    moved.subject_key,
    moved.direction
from moved
inner join compared
    on
        moved.definition_type = compared.definition_type
        and moved.definition = compared.definition
        and moved.variant = compared.variant
        and (moved.quarter_start = compared.quarter_start or compared.quarter_start is null)
