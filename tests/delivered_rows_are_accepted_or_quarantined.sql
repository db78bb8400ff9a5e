-- Every delivered row that was known by as_of is either accepted or in quarantine, exactly once.
{% set entities = [
    'lead_record', 'status_event', 'opportunity', 'opportunity_stage_event', 'touchpoint', 'activity',
    'campaign', 'spend', 'rep', 'identity_link', 'product_event', 'account',
] -%}

with clock as (

    select * from {{ ref('int_input__clock') }}

),

counted as (

    {% for entity in entities %}
    select
        '{{ entity }}' as entity,
        (
            select count(*)
            from ({{ leadlag.unite(entity) }}
            ) as delivered
            cross join clock
            where delivered.known_at <= clock.as_of or delivered.known_at is null
        ) as delivered_count,
        (select count(*) from {{ ref('int_input__' ~ entity) }}) as accepted_count,
        (select count(*) from {{ ref('quarantine') }} where entity = '{{ entity }}') as quarantined_count
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select *
from counted
where delivered_count <> accepted_count + quarantined_count
