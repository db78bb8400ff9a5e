with event as (

    select
        event.opportunity_stage_event_key,
        event.opportunity_key,
        event.source_system,
        event.source_table,
        event.source_id,
        event.occurred_at,
        event.recorded_at,
        event.event_sequence,
        event.is_closed,
        event.is_won,
        event.probability,
        event.amount,
        lower(event.forecast_category) as forecast_category,
        lower(event.stage_raw) as stage_raw,
        lower(opportunity.opportunity_type) as opportunity_type,
        lower(opportunity.product_line) as product_line,
        lower(opportunity.region) as region,
        opportunity.lead_record_key
    from {{ ref('int_input__opportunity_stage_event') }} as event
    inner join {{ ref('int_input__opportunity') }} as opportunity
        on event.opportunity_key = opportunity.opportunity_key

),

-- One row an event and rule of qualified_opportunity_rule.
compared as (

    select
        event.opportunity_stage_event_key,
        rule.operator,
        rule.passes_when_null,
        rule.value,
        case rule.field
            when 'opportunity_type' then event.opportunity_type
            when 'forecast_category' then event.forecast_category
            when 'stage_raw' then event.stage_raw
            when 'product_line' then event.product_line
            when 'region' then event.region
        end as text_value,
        case rule.field
            when 'probability' then event.probability
            when 'amount' then event.amount
        end as number_value
    from event
    cross join {{ ref('qualified_opportunity_rule') }} as rule

),

unqualified as (

    select distinct opportunity_stage_event_key
    from compared
    where
        case
            when coalesce(text_value, cast(number_value as {{ dbt.type_string() }})) is null then not passes_when_null
            when operator = 'in' then {{ dbt.position("'|' || text_value || '|'", "'|' || lower(value) || '|'") }} = 0
            when operator = 'not_in' then {{ dbt.position("'|' || text_value || '|'", "'|' || lower(value) || '|'") }} > 0
            when operator = 'at_least' then number_value < {{ leadlag.double('value') }}
            when operator = 'at_most' then number_value > {{ leadlag.double('value') }}
        end

),

judged as (

    select
        event.*,
        unqualified.opportunity_stage_event_key is null as is_qualified,
        max(case when unqualified.opportunity_stage_event_key is null then 1 else 0 end) over (
            partition by event.opportunity_key
            order by event.occurred_at, event.event_sequence, event.source_id
            rows between unbounded preceding and current row
        ) = 1 as has_qualified
    from event
    left join unqualified on event.opportunity_stage_event_key = unqualified.opportunity_stage_event_key

),

-- What never was a qualified opportunity, such as a renewal, is neither won nor lost in the funnel.
staged as (

    select
        judged.*,
        case
            when not has_qualified then null
            when is_won then 'won'
            when is_closed then 'lost'
            when is_qualified then 'opportunity'
        end as stage
    from judged

),

changed as (

    select
        staged.*,
        lag(stage) over (partition by opportunity_key order by occurred_at, event_sequence, source_id) as previous_stage
    from staged

)

select
    opportunity_stage_event_key as stage_event_key,
    lead_record_key,
    opportunity_key,
    source_system,
    source_table,
    source_id,
    occurred_at,
    recorded_at,
    event_sequence,
    stage
from changed
where stage is not null and stage is distinct from previous_stage
