{{ config(materialized='view') }}

{%- set sides = {
    'current': 'value >= current_cut',
    'compared': 'value >= compared_cut',
    'between': 'value >= current_cut and value < compared_cut',
} -%}

with summed as (

    select
        score,
        conversion_definition,
        current_cut,
        compared_cut,
        weeks,
        capacity_per_week,
        mean_square,
        {%- for side, condition in sides.items() %}
        count(case when {{ condition }} then 1 end) as {{ side }}_journeys,
        count(case when {{ condition }} and is_converted then 1 end) as {{ side }}_converted,
        count(case when {{ condition }} and is_won then 1 end) as {{ side }}_won,
        {%- endfor %}
        coalesce(sum(case when {{ sides.between }} then net_margin end), 0) as net_between,
        coalesce(sum(case when {{ sides.between }} then net_margin * net_margin end), 0) as square_between
    from {{ ref('int_scoring__valued') }}
    group by score, conversion_definition, current_cut, compared_cut, weeks, capacity_per_week, mean_square

),

-- The higher cut is a part of the lower one: their precisions differ by that of the journeys between, times the share of these.
measured as (

    select
        summed.*,
        {{ leadlag.share('between_journeys', 'current_journeys') }} as between_share,
        {%- for side in ['current', 'compared', 'between'] %}
        {{ leadlag.share(side ~ '_converted', side ~ '_journeys') }} as {{ side }}_precision,
        {{ leadlag.wilson_low(side ~ '_converted', side ~ '_journeys') }} as {{ side }}_low,
        {{ leadlag.wilson_high(side ~ '_converted', side ~ '_journeys') }} as {{ side }}_high,
        {%- endfor %}
        {{ leadlag.normal_quantile() }} * sqrt(greatest(between_journeys * mean_square, square_between)) as net_reach
    from summed

)

select
    score,
    conversion_definition,
    current_cut,
    compared_cut,
    current_journeys,
    compared_journeys,
    current_journeys / weeks as current_per_week,
    compared_journeys / weeks as compared_per_week,
    current_journeys / weeks / nullif(capacity_per_week, 0) as current_capacity_used,
    compared_journeys / weeks / nullif(capacity_per_week, 0) as compared_capacity_used,
    current_precision,
    current_low as current_precision_low,
    current_high as current_precision_high,
    compared_precision,
    compared_low as compared_precision_low,
    compared_high as compared_precision_high,
    between_share * (compared_precision - between_precision) as precision_difference,
    between_share * (
        {{ leadlag.difference_low('compared_precision', 'compared_low', 'between_precision', 'between_high') }}
    ) as precision_difference_low,
    between_share * (
        {{ leadlag.difference_high('compared_precision', 'compared_high', 'between_precision', 'between_low') }}
    ) as precision_difference_high,
    (compared_won - current_won) / weeks * 13 as expected_wins_difference,
    -net_between / weeks * 13 as net_margin_difference,
    (-net_between - net_reach) / weeks * 13 as net_margin_difference_low,
    (-net_between + net_reach) / weeks * 13 as net_margin_difference_high,
    case
        when between_journeys = 0 then 'no_journeys_between'
        when net_between - net_reach > 0 then 'keep_current'
        when net_between + net_reach < 0 then 'raise'
        else 'within_noise'
    end as verdict
from measured
