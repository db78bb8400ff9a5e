-- Every claim of a stage is in fct_stage_event once, effective or as evidence; what a journey counts opens to these rows;
-- every overruled event is a discrepancy.
with claimed as (

    select count(*) as row_count from {{ ref('int_lifecycle__stage_signal') }}

),

kept as (

    select
        count(*) as row_count,
        count(distinct stage_event_key) as key_count,
        sum(case when resolution = 'overruled' then 1 else 0 end) as overruled_count
    from {{ ref('fct_stage_event') }}

),

opened as (

    select
        journey.journey_key,
        journey.stage_event_count,
        count(event.stage_event_key) as event_count
    from {{ ref('fct_journey') }} as journey
    left join {{ ref('fct_stage_event') }} as event
        on journey.journey_key = event.journey_key and event.resolution = 'effective'
    group by journey.journey_key, journey.stage_event_count

)

select 'claims lost or repeated' as broken, claimed.row_count as expected, kept.row_count as found
from claimed
cross join kept
where claimed.row_count <> kept.row_count or kept.row_count <> kept.key_count
union all
select 'overruled without a discrepancy' as broken, kept.overruled_count as expected, discrepancy.row_count as found
from kept
cross join (select count(*) as row_count from {{ ref('status_discrepancy') }}) as discrepancy
where kept.overruled_count <> discrepancy.row_count
union all
select 'journey does not open' as broken, stage_event_count as expected, event_count as found
from opened
where stage_event_count <> event_count
