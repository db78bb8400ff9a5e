{{ config(materialized='view') }}

{%- set keys = ['score', 'conversion_definition', 'quarter_start', 'decile'] -%}
{%- set values = ['journeys', 'converted', 'lowest_score', 'highest_score', 'summed_score'] -%}

-- By how many journeys of the quarter have a higher score, so that equal scores are in one decile and none is broken by luck.
with ranked as (

    select
        placement.*,
        1 + cast(floor(10 * {{ leadlag.double('rank() over by_score - 1') }} / case_count) as integer) as decile
    from {{ ref('int_scoring__placement') }} as placement
    window by_score as (partition by score, conversion_definition, quarter_start order by value desc)

),

by_quarter as (

    select
        {{ keys | join(', ') }},
        is_compared,
        count(*) as journeys,
        count(case when is_converted then 1 end) as converted,
        min(value) as lowest_score,
        max(value) as highest_score,
        sum(value) as summed_score
    from ranked
    group by {{ keys | join(', ') }}, is_compared

),

-- The deciles of all quarters are those of each quarter together: scores of two quarters are never compared.
summed as (

    select {{ (keys + values) | join(', ') }}
    from by_quarter
    union all
    select
        score,
        conversion_definition,
        cast(null as date) as quarter_start,
        decile,
        sum(journeys) as journeys,
        sum(converted) as converted,
        min(lowest_score) as lowest_score,
        max(highest_score) as highest_score,
        sum(summed_score) as summed_score
    from by_quarter
    where is_compared
    group by score, conversion_definition, decile

),

compared as (

    select
        summed.*,
        {{ leadlag.share('sum(converted) over whole', 'sum(journeys) over whole') }} as overall_rate,
        {{ leadlag.share('sum(converted) over above', 'sum(converted) over whole') }} as captured_share
    from summed
    window
        whole as (partition by score, conversion_definition, quarter_start),
        above as (partition by score, conversion_definition, quarter_start order by decile)

)

select
    score,
    conversion_definition,
    quarter_start,
    decile,
    cast(journeys as bigint) as journeys,
    cast(converted as bigint) as converted,
    lowest_score,
    highest_score,
    summed_score / journeys as mean_score,
    {{ leadlag.share('converted', 'journeys') }} as rate,
    {{ leadlag.wilson_low('converted', 'journeys') }} as rate_low,
    {{ leadlag.wilson_high('converted', 'journeys') }} as rate_high,
    overall_rate,
    {{ leadlag.share('converted', 'journeys') }} / nullif(overall_rate, 0) as lift,
    {{ leadlag.wilson_low('converted', 'journeys') }} / nullif(overall_rate, 0) as lift_low,
    {{ leadlag.wilson_high('converted', 'journeys') }} / nullif(overall_rate, 0) as lift_high,
    captured_share
from compared
