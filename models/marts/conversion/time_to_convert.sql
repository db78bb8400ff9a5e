{%- set curve = 'conversion_definition, definition_version, scope_region, scope_product_line, cut_name, cut_value' -%}
{%- set onward = 'over (partition by ' ~ curve ~ ' order by days_since_entry rows between unbounded preceding and current row)' -%}

-- Aalen and Johansen (1978). Of the entries that reach a day, some convert on it and some are lost; after these, the open
-- ones of that age leave uncounted.
with at_risk as (

    select
        day_count.*,
        {{ leadlag.double('converted + lost') }} as ended,
        {{ leadlag.double(
            'sum(converted + lost + censored) over (partition by ' ~ curve
            ~ ' order by days_since_entry desc rows between unbounded preceding and current row)'
        ) }} as at_risk
    from {{ ref('int_conversion__day_count') }} as day_count

),

-- All-cause survival, the product of 1 - ended / at_risk, as a sum of logarithms; 0 when nobody is left.
survival as (

    select
        at_risk.*,
        case
            when ended = at_risk then 0
            else exp(sum(case when ended < at_risk then ln(1 - ended / at_risk) else 0 end) {{ onward }})
        end as overall_survival
    from at_risk

),

stepped as (

    select
        survival.*,
        coalesce(
            lag(overall_survival) over (partition by {{ curve }} order by days_since_entry),
            1
        ) as survival_before
    from survival

),

incidence as (

    select
        stepped.*,
        sum(survival_before * converted / at_risk) {{ onward }} as cumulative_incidence,
        sum(survival_before * lost / at_risk) {{ onward }} as cumulative_loss
    from stepped

),

-- Terms of the variance, which for F at t is the sum over the days u up to t of
--   (F(t) - F(u))^2 d / (n (n - d)) - 2 (F(t) - F(u)) S(u-) c / n^2 + S(u-)^2 c (n - c) / n^3
-- (n at risk, d ended, c converted; Marubini and Valsecchi 1995, by the delta method for multinomial steps).
term as (

    select
        incidence.*,
        case when ended < at_risk then ended / (at_risk * (at_risk - ended)) else 0 end as greenwood,
        survival_before * converted / (at_risk * at_risk) as crossed,
        survival_before * survival_before * converted * (at_risk - converted) / (at_risk * at_risk * at_risk) as own
    from incidence

),

-- Multiplied out, the sums no longer hold F(t): one running sum each.
summed as (

    select
        term.*,
        sum(greenwood) {{ onward }} as squared_part,
        sum(greenwood * cumulative_incidence + crossed) {{ onward }} as linear_part,
        sum((greenwood * cumulative_incidence + 2 * crossed) * cumulative_incidence + own) {{ onward }} as constant_part
    from term

),

estimated as (

    select
        summed.*,
        sqrt(greatest(
            (squared_part * cumulative_incidence - 2 * linear_part) * cumulative_incidence + constant_part,
            0
        )) as standard_error
    from summed

)

select
    conversion_definition,
    definition_version,
    scope_region,
    scope_product_line,
    conversion_name,
    cut_name,
    cut_value,
    days_since_entry,
    cast(at_risk as bigint) as at_risk,
    converted,
    lost,
    censored,
    overall_survival,
    cumulative_incidence,
    cumulative_loss,
    standard_error,
    {{ leadlag.incidence_low('cumulative_incidence', 'standard_error') }} as incidence_low,
    {{ leadlag.incidence_high('cumulative_incidence', 'standard_error') }} as incidence_high,
    at_risk >= minimum_volume as is_reliable
from estimated
