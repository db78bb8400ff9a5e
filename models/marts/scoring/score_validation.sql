{{ config(materialized='view') }}

{%- set z = leadlag.normal_quantile() -%}

-- Placements: of a converted journey the share of the others that it outscores, of another the share that outscores it; ties half.
with placed as (

    select
        score,
        conversion_definition,
        period_start,
        journey_key,
        value,
        is_converted,
        count(*) over whole as case_count,
        case
            when is_converted then
                (count(case when not is_converted then 1 end) over below - {{ leadlag.double('0.5') }} * count(case when not is_converted then 1 end) over tied)
                / nullif(count(case when not is_converted then 1 end) over whole, 0)
            else
                1 - (count(case when is_converted then 1 end) over below - {{ leadlag.double('0.5') }} * count(case when is_converted then 1 end) over tied)
                / nullif(count(case when is_converted then 1 end) over whole, 0)
        end as placement
    from {{ ref('int_scoring__period') }}
    window
        whole as (partition by score, conversion_definition, period_start),
        below as (partition by score, conversion_definition, period_start order by value),
        tied as (partition by score, conversion_definition, period_start, value)

),

paired as (

    select
        placed.*,
        case when placed.is_converted then placed.placement end as one,
        case when not placed.is_converted then placed.placement end as zero,
        case when placed.is_converted then rule.placement end as rule_one,
        case when not placed.is_converted then rule.placement end as rule_zero,
        rule.case_count as rule_count
    from placed
    left join placed as rule
        on
            placed.journey_key = rule.journey_key
            and placed.conversion_definition = rule.conversion_definition
            and placed.period_start = rule.period_start
            and placed.score <> 'rule'
            and rule.score = 'rule'

),

summed as (

    select
        score,
        conversion_definition,
        period_start,
        count(*) as journeys,
        count(one) as converted,
        avg(value) / 100 as mean_score,
        avg(one) as auc,
        var_samp(one) / nullif(count(one), 0) + var_samp(zero) / nullif(count(zero), 0) as variance,
        case when count(rule_count) = count(*) and max(rule_count) = count(*) then avg(rule_one) end as rule_auc,
        var_samp(rule_one) / nullif(count(one), 0) + var_samp(rule_zero) / nullif(count(zero), 0) as rule_variance,
        covar_samp(one, rule_one) / nullif(count(one), 0) + covar_samp(zero, rule_zero) / nullif(count(zero), 0) as covariance
    from paired
    group by score, conversion_definition, period_start

),

-- The interval of the AUC is one of its logit, so that it stays between 0 and 1.
bounded as (

    select
        summed.*,
        case when auc > 0 and auc < 1 and variance > 0 then ln(auc / (1 - auc)) end as logit,
        case when auc > 0 and auc < 1 and variance > 0 then {{ z }} * sqrt(variance) / (auc * (1 - auc)) end as reach,
        {{ z }} * sqrt(greatest(variance + rule_variance - 2 * covariance, 0)) as difference_reach
    from summed

)

select
    bounded.score,
    bounded.conversion_definition,
    nullif(bounded.period_start, cast('1900-01-01' as date)) as quarter_start,
    bounded.journeys,
    bounded.converted,
    {{ leadlag.share('bounded.converted', 'bounded.journeys') }} as rate,
    {{ leadlag.wilson_low('bounded.converted', 'bounded.journeys') }} as rate_low,
    {{ leadlag.wilson_high('bounded.converted', 'bounded.journeys') }} as rate_high,
    case when bounded.score <> 'rule' then bounded.mean_score end as expected_rate,
    bounded.auc,
    1 / (1 + exp(-greatest(least(bounded.logit - bounded.reach, 700), -700))) as auc_low,
    1 / (1 + exp(-greatest(least(bounded.logit + bounded.reach, 700), -700))) as auc_high,
    bounded.auc - bounded.rule_auc as auc_difference,
    bounded.auc - bounded.rule_auc - bounded.difference_reach as auc_difference_low,
    bounded.auc - bounded.rule_auc + bounded.difference_reach as auc_difference_high,
    coalesce(least(bounded.converted, bounded.journeys - bounded.converted) >= policy.minimum_outcomes, false) as is_reliable,
    case
        when bounded.converted = 0 or bounded.converted = bounded.journeys then 'one_outcome_only'
        when bounded.logit is null then 'too_few_or_all_tied'
    end as reason
from bounded
left join {{ ref('lead_score_threshold') }} as policy on bounded.score = policy.score
