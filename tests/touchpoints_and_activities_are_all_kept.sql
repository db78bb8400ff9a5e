-- Accepted touchpoints and activities arrive once, joining nobody twice; journeys open to as many as they count.
select 'touchpoint' as broken, accepted.row_count as expected, kept.row_count as found
from (select count(*) as row_count from {{ ref('int_input__touchpoint') }}) as accepted
cross join (select count(*) as row_count from {{ ref('fct_touchpoint') }}) as kept
where accepted.row_count <> kept.row_count
union all
select 'activity' as broken, accepted.row_count as expected, kept.row_count as found
from (select count(*) as row_count from {{ ref('int_input__activity') }}) as accepted
cross join (select count(*) as row_count from {{ ref('fct_activity') }}) as kept
where accepted.row_count <> kept.row_count
union all
select 'opportunity' as broken, accepted.row_count as expected, kept.row_count as found
from (select count(*) as row_count from {{ ref('int_input__opportunity') }}) as accepted
cross join (select count(*) as row_count from {{ ref('fct_opportunity') }}) as kept
where accepted.row_count <> kept.row_count
union all
select 'counts of journeys' as broken, journeys.row_count as expected, facts.row_count as found
from (select sum(touchpoint_count + activity_count) as row_count from {{ ref('fct_journey') }}) as journeys
cross join (
    select
        (select count(*) from {{ ref('fct_touchpoint') }} where journey_key is not null)
        + (select count(*) from {{ ref('fct_activity') }} where journey_key is not null) as row_count
) as facts
where journeys.row_count <> facts.row_count
