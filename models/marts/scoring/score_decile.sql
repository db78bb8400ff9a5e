{{ config(materialized='view') }}

-- By how many journeys have a higher score, so that equal scores are in one decile and none is broken by luck.
with ranked as (

    select
        period.*,
        1 + cast(floor(10 * {{ leadlag.double('rank() over (partition by score, conversion_definition, period_start order by value desc) - 1') }}
        / count(*) over (partition by score, conversion_definition, period_start)) as integer) as decile
    from {{ ref('int_scoring__period') }} as period

),

counted as (

    select
        score,
        conversion_definition,
        period_start,
        decile,
        count(*) as journeys,
        sum(case when is_converted then 1 else 0 end) as converted,
        min(value) as lowest_score,
        max(value) as highest_score,
        avg(value) as mean_score
    from ranked
    group by score, conversion_definition, period_start, decile

),

overall as (

    select
        counted.*,
        {{ leadlag.share('sum(converted) over whole', 'sum(journeys) over whole') }} as overall_rate,
        {{ leadlag.share('sum(converted) over above', 'nullif(sum(converted) over whole, 0)') }} as captured_share
    from counted
    window
        whole as (partition by score, conversion_definition, period_start),
        above as (partition by score, conversion_definition, period_start order by decile)

)

select
    score,
    conversion_definition,
    nullif(period_start, cast('1900-01-01' as date)) as quarter_start,
    decile,
    journeys,
    cast(converted as bigint) as converted,
    lowest_score,
    highest_score,
    mean_score,
    {{ leadlag.share('converted', 'journeys') }} as rate,
    {{ leadlag.wilson_low('converted', 'journeys') }} as rate_low,
    {{ leadlag.wilson_high('converted', 'journeys') }} as rate_high,
    overall_rate,
    {{ leadlag.share('converted', 'journeys') }} / nullif(overall_rate, 0) as lift,
    {{ leadlag.wilson_low('converted', 'journeys') }} / nullif(overall_rate, 0) as lift_low,
    {{ leadlag.wilson_high('converted', 'journeys') }} / nullif(overall_rate, 0) as lift_high,
    captured_share
from overall
