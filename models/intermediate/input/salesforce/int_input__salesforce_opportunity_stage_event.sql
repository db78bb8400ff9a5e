with known_opportunity as (

    select distinct opportunity_id from {{ ref('int_input__salesforce_opportunity_state') }}

),

-- One row an opportunity, whatever the loader left behind, so that no event is doubled.
present as (

    select
        opportunity_id,
        max(currency_code) as currency_code,
        max(stage_name) as stage_name,
        max(case when is_closed then 1 else 0 end) as closed_flag,
        max(case when is_won then 1 else 0 end) as won_flag
    from {{ ref('stg_salesforce__opportunity') }}
    group by opportunity_id

),

-- Opportunities without any history: open from creation, closed (if they are) on the close date.
unrecorded as (

    select
        opportunity.opportunity_id,
        opportunity.created_at,
        opportunity.created_at_raw,
        opportunity.close_date,
        opportunity.loaded_at,
        opportunity.stage_name,
        opportunity.is_closed,
        opportunity.is_won,
        opportunity.probability,
        opportunity.amount,
        opportunity.currency_code,
        opportunity.forecast_category,
        coalesce(opportunity.is_closed, false) as was_closed
    from {{ ref('stg_salesforce__opportunity') }} as opportunity
    left join known_opportunity
        on opportunity.opportunity_id = known_opportunity.opportunity_id
    where known_opportunity.opportunity_id is null and not coalesce(opportunity.is_deleted, false)

)

select
    'salesforce' as source_system,
    state.source_table,
    state.source_id,
    state.created_at as occurred_at,
    state.created_at_raw as occurred_at_raw,
    state.created_at as recorded_at,
    state.loaded_at,
    state.event_sequence,
    state.opportunity_id as opportunity_source_id,
    state.stage_name as stage_raw,
    coalesce(stage_flag.is_closed, case when state.stage_name = present.stage_name then present.closed_flag = 1 end) as is_closed,
    coalesce(stage_flag.is_won, case when state.stage_name = present.stage_name then present.won_flag = 1 end) as is_won,
    coalesce(state.probability, stage_flag.default_probability) as probability,
    state.amount,
    coalesce(state.currency_code, present.currency_code) as currency_code,
    state.forecast_category
from {{ ref('int_input__salesforce_opportunity_state') }} as state
left join {{ ref('int_input__salesforce_stage_flag') }} as stage_flag
    on lower(trim(state.stage_name)) = stage_flag.stage_key
left join present
    on state.opportunity_id = present.opportunity_id
union all
select
    'salesforce' as source_system,
    'opportunity' as source_table,
    opportunity_id || ':created' as source_id,
    created_at as occurred_at,
    created_at_raw as occurred_at_raw,
    created_at as recorded_at,
    loaded_at,
    0 as event_sequence,
    opportunity_id as opportunity_source_id,
    case when was_closed then '(not recorded)' else stage_name end as stage_raw,
    false as is_closed,
    false as is_won,
    case when not was_closed then probability end as probability,
    case when not was_closed then amount end as amount,
    currency_code,
    case when not was_closed then forecast_category end as forecast_category
from unrecorded
union all
select
    'salesforce' as source_system,
    'opportunity' as source_table,
    opportunity_id || ':closed' as source_id,
    least(greatest(created_at, cast(close_date as timestamp)), loaded_at) as occurred_at,
    created_at_raw as occurred_at_raw,
    cast(null as timestamp) as recorded_at,
    loaded_at,
    1 as event_sequence,
    opportunity_id as opportunity_source_id,
    stage_name as stage_raw,
    is_closed,
    is_won,
    probability,
    amount,
    currency_code,
    forecast_category
from unrecorded
where was_closed
