{{ config(materialized='view') }}

{%- set sums = ['volume', 'converted', 'won', 'still_open', 'gross_margin', 'net_margin', 'net_square'] -%}

with step as (

    select
        score,
        conversion_definition,
        floor(value / cut_step) * cut_step as cut,
        weeks,
        capacity_per_week,
        minimum_outcomes,
        mean_square,
        count(*) as volume,
        sum(case when is_converted then 1 else 0 end) as converted,
        sum(case when is_won then 1 else 0 end) as won,
        sum(case when is_open then 1 else 0 end) as still_open,
        sum(gross_margin) as gross_margin,
        sum(net_margin) as net_margin,
        sum(net_margin * net_margin) as net_square
    from {{ ref('int_scoring__valued') }}
    group by score, conversion_definition, floor(value / cut_step) * cut_step, weeks, capacity_per_week, minimum_outcomes, mean_square

),

curve as (

    select
        score,
        conversion_definition,
        cut,
        weeks,
        capacity_per_week,
        minimum_outcomes,
        mean_square,
        {%- for column in sums %}
        sum({{ column }}) over above as {{ column }},
        {%- endfor %}
        sum(converted) over whole as all_converted,
        sum(volume) over whole as all_volume,
        {{ leadlag.double('count(*) over whole') }} as cuts
    from step
    window
        whole as (partition by score, conversion_definition),
        above as (partition by score, conversion_definition order by cut desc)

),

ranked as (

    select
        curve.*,
        coalesce(volume / weeks <= capacity_per_week, true) as is_within_capacity,
        row_number() over (
            partition by score, conversion_definition
            order by case when coalesce(volume / weeks <= capacity_per_week, true) then 0 else 1 end, net_margin desc, cut desc
        ) as place
    from curve

),

-- A cut differs from the best one by the journeys between them. Their noise is that of as many of all journeys, or their own where that is
-- more, and the difference must exceed what any pair of cuts shows by chance (Bonferroni).
compared as (

    select
        ranked.*,
        ranked.is_within_capacity and ranked.place = 1 as is_recommended,
        ranked.is_within_capacity and best.is_within_capacity and best.net_margin - ranked.net_margin
        <= {{ leadlag.exceeded_quantile((1 - var('confidence_level', 0.95) | float) ~ ' / greatest(ranked.cuts * (ranked.cuts - 1), 1)') }}
        * sqrt(greatest(abs(best.volume - ranked.volume) * ranked.mean_square, abs(best.net_square - ranked.net_square)))
            as is_within_noise
    from ranked
    inner join ranked as best
        on ranked.score = best.score and ranked.conversion_definition = best.conversion_definition and best.place = 1

)

select
    score,
    conversion_definition,
    cut,
    cast(volume as bigint) as journeys,
    {{ leadlag.share('volume', 'weeks') }} as journeys_per_week,
    {{ leadlag.share('volume', 'weeks') }} / nullif(capacity_per_week, 0) as capacity_used,
    cast(converted as bigint) as converted,
    {{ leadlag.share('converted', 'volume') }} as conversion_precision,
    {{ leadlag.wilson_low('converted', 'volume') }} as precision_low,
    {{ leadlag.wilson_high('converted', 'volume') }} as precision_high,
    {{ leadlag.share('converted', 'all_converted') }} as recall,
    cast(won as bigint) as won,
    cast(still_open as bigint) as still_open,
    {{ leadlag.share('won', 'weeks') }} * 13 as expected_wins,
    gross_margin / weeks * 13 as expected_margin,
    net_margin / weeks * 13 as expected_net_margin,
    is_within_capacity,
    is_recommended,
    is_within_noise,
    coalesce(least(all_converted, all_volume - all_converted) >= minimum_outcomes, false) as is_reliable
from compared
