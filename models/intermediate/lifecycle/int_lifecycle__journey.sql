{{ leadlag.incremental('whole_persons') }}
{%- set since = leadlag.increment().since -%}

{%- set stages = ['inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won'] -%}

with journey as (

    select
        journey_key,
        person_key,
        journey_number,
        min(occurred_at) as entered_at,
        max(occurred_at) as last_event_at,
        min(event_number) as first_event_number,
        -- The last event's stage, packed with its place so that one aggregate finds it.
        max(event_number * 10 + stage_order) % 10 as last_stage_order,
        count(*) as stage_event_count,
        {%- for stage in stages %}
        min(case when stage_order = {{ loop.index }} then occurred_at end) as {{ stage }}_first_at,
        min(case when stage_order = {{ loop.index }} then event_number end) as {{ stage }}_number,
        {%- endfor %}
        max(case when stage_order <= 6 then stage_order end) as furthest_stage_order
    from {{ ref('int_lifecycle__journey_event') }}
    where {{ leadlag.of_touched_persons(since) }}
    group by journey_key, person_key, journey_number

),

-- A milestone is the first event of its stage unless the journey had been further before.
milestone as (

    select
        journey.*,
        {%- for stage in stages[:-1] %}
        case
            when
                {%- for later in stages[loop.index:] %}
                {{ 'and ' if not loop.first }}coalesce({{ stage }}_number < {{ later }}_number, true)
                {%- endfor %}
                then {{ stage }}_first_at
        end as {{ stage }}_at,
        {%- endfor %}
        won_first_at as won_at,
        case when last_stage_order >= 6 then last_event_at end as ended_at
    from journey

)

select
    milestone.journey_key,
    milestone.person_key,
    milestone.journey_number,
    milestone.entered_at,
    milestone.ended_at,
    coalesce(outcome.stage, 'open') as outcome,
    furthest.stage as furthest_stage,
    milestone.first_event_number,
    milestone.stage_event_count,
    {%- for stage in stages %}
    milestone.{{ stage }}_at,
    {%- endfor %}
    {%- for stage in stages[:-1] %}
    milestone.{{ stage }}_first_at,
    {%- endfor %}
    -- Never null, so that joins over the range stay hash joins on the person.
    coalesce(
        lag(milestone.ended_at) over (partition by milestone.person_key order by milestone.journey_number),
        cast('1900-01-01' as timestamp)
    ) as owns_after,
    coalesce(milestone.ended_at, cast('9999-12-31' as timestamp)) as owns_until
from milestone
left join {{ ref('stage') }} as outcome
    on milestone.last_stage_order = outcome.stage_order and outcome.stage_order >= 6
left join {{ ref('stage') }} as furthest
    on milestone.furthest_stage_order = furthest.stage_order
