-- Milestones of a journey are in the order of their stages, within the journey, and one stage event each.
with milestone as (

    {% for stage in ['inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won'] %}
    select journey_key, entered_at, ended_at, {{ loop.index }} as stage_order, '{{ stage }}' as stage, {{ stage }}_at as reached_at
    from {{ ref('fct_journey') }}
    where {{ stage }}_at is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

milestone_order as (

    select
        milestone.*,
        max(reached_at) over (
            partition by journey_key order by stage_order rows between unbounded preceding and 1 preceding
        ) as earlier_stage_at
    from milestone

)

select 'order' as broken, journey_key as example_key
from milestone_order
where reached_at < earlier_stage_at or reached_at < entered_at or reached_at > ended_at
union all
select 'stage event' as broken, milestone.journey_key as example_key
from milestone
left join {{ ref('fct_stage_event') }} as event
    on milestone.journey_key = event.journey_key and milestone.stage = event.stage and event.is_milestone
group by milestone.journey_key, milestone.stage, milestone.reached_at
having count(event.stage_event_key) <> 1 or max(event.occurred_at) is distinct from milestone.reached_at
