with opportunity as (

    select * from {{ ref('int_input__opportunity') }}

),

stage_event as (

    select
        opportunity_key,
        min(case when stage = 'opportunity' then occurred_at end) as qualified_at,
        max(case when stage = 'won' then occurred_at end) as won_at,
        max(case when stage = 'lost' then occurred_at end) as lost_at
    from {{ ref('int_lifecycle__opportunity_stage') }}
    group by opportunity_key

),

-- The values of the latest stage change known by as_of; the opportunity's own fields may be newer than that.
latest as (

    select
        event.opportunity_key,
        event.stage_raw,
        event.is_closed,
        event.is_won,
        event.probability,
        event.amount,
        event.currency_code,
        row_number() over (
            partition by event.opportunity_key
            order by event.occurred_at desc, event.event_sequence desc, event.source_id desc
        ) as recency
    from {{ ref('int_input__opportunity_stage_event') }} as event

),

stated as (

    select
        opportunity.*,
        coalesce(latest.stage_raw, opportunity.stage_raw) as latest_stage_raw,
        coalesce(latest.is_closed, opportunity.is_closed, false) as latest_is_closed,
        coalesce(latest.is_won, opportunity.is_won, false) as latest_is_won,
        latest.probability,
        coalesce(latest.amount, opportunity.amount) as latest_amount,
        upper(coalesce(latest.currency_code, opportunity.currency_code, '{{ var("base_currency", "EUR") }}')) as latest_currency_code
    from opportunity
    left join latest on opportunity.opportunity_key = latest.opportunity_key and latest.recency = 1

)

select
    stated.opportunity_key,
    person.person_key,
    journey.journey_key,
    account.account_key,
    rep.rep_key,
    campaign.campaign_key,
    stated.source_system,
    stated.source_id,
    mirrored.opportunity_key as mirrored_opportunity_key,
    mirrored.opportunity_key is null as is_counted,
    stated.opportunity_type,
    stated.product_line,
    stated.region,
    stated.occurred_at as created_at,
    stage_event.qualified_at,
    case when stated.latest_is_won then stage_event.won_at end as won_at,
    case when stated.latest_is_closed and not stated.latest_is_won then stage_event.lost_at end as lost_at,
    stated.latest_stage_raw as stage_raw,
    stated.latest_is_closed as is_closed,
    stated.latest_is_won as is_won,
    stated.probability,
    stated.latest_amount as amount,
    stated.latest_currency_code as currency_code,
    cast(stated.latest_amount * rate.rate_to_base as numeric(18, 2)) as amount_base,
    stated.close_date,
    case when stated.latest_is_closed and not stated.latest_is_won then stated.loss_reason end as loss_reason
from stated
left join stage_event on stated.opportunity_key = stage_event.opportunity_key
left join {{ ref('int_identity__lead_record_person') }} as person
    on stated.lead_record_key = person.lead_record_key
left join {{ ref('int_lifecycle__journey') }} as journey
    on
        person.person_key = journey.person_key
        and stated.occurred_at > journey.owns_after
        and stated.occurred_at <= journey.owns_until
left join {{ ref('int_input__opportunity') }} as mirrored
    on stated.mirrored_source_system = mirrored.source_system and stated.mirrored_source_id = mirrored.source_id
left join {{ ref('int_engagement__currency_rate') }} as rate
    on
        stated.latest_currency_code = rate.currency_code
        and cast(stated.occurred_at as date) >= rate.valid_from
        and cast(stated.occurred_at as date) < rate.valid_to
left join {{ ref('int_engagement__account') }} as account
    on stated.source_system = account.source_system and stated.account_source_id = account.source_id
left join {{ ref('int_engagement__rep') }} as rep
    on stated.source_system = rep.source_system and stated.owner_source_id = rep.source_id
left join {{ ref('int_input__campaign') }} as campaign
    on stated.source_system = campaign.source_system and stated.campaign_source_id = campaign.source_id
