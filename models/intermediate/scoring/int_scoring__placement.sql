{{ config(materialized='view') }}

with counted as (

    select
        judged.*,
        case when is_converted then 1 end as one,
        case when not is_converted then 1 end as zero
    from {{ ref('int_scoring__judged') }} as judged

)

select
    score,
    conversion_definition,
    quarter_start,
    journey_key,
    value,
    is_converted,
    count(*) over whole as case_count,
    count(case when is_compared then 1 end) over whole = count(*) over whole as is_compared,
    case
        when is_converted
            then (count(zero) over below - 0.5 * count(zero) over tied) / nullif({{ leadlag.double('count(zero) over whole') }}, 0)
        else 1 - (count(one) over below - 0.5 * count(one) over tied) / nullif({{ leadlag.double('count(one) over whole') }}, 0)
    end as placement
from counted
window
    whole as (partition by score, conversion_definition, quarter_start),
    below as (partition by score, conversion_definition, quarter_start order by value),
    tied as (partition by score, conversion_definition, quarter_start, value)
