{{ config(materialized='view') }}

-- 1900-01-01 stands for all quarters that every score was judged in.
with period as (

    select
        score,
        conversion_definition,
        quarter_start,
        value,
        is_converted
    from {{ ref('int_scoring__judged') }}
    union all
    select
        score,
        conversion_definition,
        cast('1900-01-01' as date) as quarter_start,
        value,
        is_converted
    from {{ ref('int_scoring__judged') }}
    where is_compared

),

-- By how many journeys have a higher score, so that equal scores are in one decile and none is broken by luck.
ranked as (

    select
        period.*,
        1 + cast(floor(10 * {{ leadlag.double('rank() over by_score - 1') }} / count(*) over whole) as integer) as decile
    from period
    window
        whole as (partition by score, conversion_definition, quarter_start),
        by_score as (partition by score, conversion_definition, quarter_start order by value desc)

),

counted as (

    select
        score,
        conversion_definition,
        quarter_start,
        decile,
        count(*) as journeys,
        count(case when is_converted then 1 end) as converted,
        min(value) as lowest_score,
        max(value) as highest_score,
        avg(value) as mean_score
    from ranked
    group by score, conversion_definition, quarter_start, decile

),

compared as (

    select
        counted.*,
        {{ leadlag.share('sum(converted) over whole', 'sum(journeys) over whole') }} as overall_rate,
        {{ leadlag.share('sum(converted) over above', 'sum(converted) over whole') }} as captured_share
    from counted
    window
        whole as (partition by score, conversion_definition, quarter_start),
        above as (partition by score, conversion_definition, quarter_start order by decile)

)

select
    score,
    conversion_definition,
    nullif(quarter_start, cast('1900-01-01' as date)) as quarter_start,
    decile,
    journeys,
    converted,
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
from compared
