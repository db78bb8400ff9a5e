{{ config(materialized='view') }}

{%- set z = leadlag.normal_quantile() -%}
{%- set columns = ['score', 'conversion_definition', 'quarter_start', 'journeys', 'converted', 'mean_score', 'auc', 'variance',
    'difference', 'difference_variance'] -%}

with placed as (

    select * from {{ ref('int_scoring__placement') }}

),

paired as (

    select
        placed.*,
        case when placed.is_converted then placed.placement end as one,
        case when not placed.is_converted then placed.placement end as zero,
        placed.placement - rule.placement as difference,
        rule.case_count as rule_count
    from placed
    left join placed as rule
        on
            case when placed.score <> 'rule' then placed.journey_key end = rule.journey_key
            and placed.conversion_definition = rule.conversion_definition
            and rule.score = 'rule'

),

-- DeLong: the variance of an AUC is that of the mean placements of both groups; of a difference, that of the differences in placement.
by_quarter as (

    select
        score,
        conversion_definition,
        quarter_start,
        is_compared,
        count(*) as journeys,
        count(one) as converted,
        avg(value) / 100 as mean_score,
        avg(one) as auc,
        var_samp(one) / nullif(count(one), 0) + var_samp(zero) / nullif(count(zero), 0) as variance,
        case when count(rule_count) = count(*) and max(rule_count) = count(*)
            then avg(case when one is not null then difference end) end as difference,
        var_samp(case when one is not null then difference end) / nullif(count(one), 0)
        + var_samp(case when zero is not null then difference end) / nullif(count(zero), 0) as difference_variance,
        {{ leadlag.double('count(one)') }} * count(zero) / count(*) as weight
    from paired
    group by score, conversion_definition, quarter_start, is_compared

),

-- Scores of two quarters are never compared: each quarter had a model of its own.
summed as (

    select {{ columns | join(', ') }}
    from by_quarter
    union all
    select
        score,
        conversion_definition,
        cast(null as date) as quarter_start,
        sum(journeys) as journeys,
        sum(converted) as converted,
        sum(mean_score * journeys) / sum(journeys) as mean_score,
        sum(case when variance is not null then weight * auc end) / sum(case when variance is not null then weight end) as auc,
        sum(weight * weight * variance) / power(sum(case when variance is not null then weight end), 2) as variance,
        sum(weight * difference) / sum(case when difference is not null then weight end) as difference,
        sum(weight * weight * difference_variance) / power(sum(case when difference is not null then weight end), 2) as difference_variance
    from by_quarter
    where is_compared
    group by score, conversion_definition

),

-- The interval of the AUC is one of its logit, so that it stays between 0 and 1.
bounded as (

    select
        summed.*,
        {%- for side, sign in {'low': '-', 'high': '+'}.items() %}
        case when auc > 0 and auc < 1 and variance > 0 then
            1 / (1 + exp(-greatest(least(ln(auc / (1 - auc)) {{ sign }} {{ z }} * sqrt(variance) / (auc * (1 - auc)), 700), -700)))
        end as auc_{{ side }}{{ ',' if not loop.last }}
        {%- endfor %}
    from summed

)

select
    bounded.score,
    bounded.conversion_definition,
    bounded.quarter_start,
    cast(bounded.journeys as bigint) as journeys,
    cast(bounded.converted as bigint) as converted,
    {{ leadlag.share('bounded.converted', 'bounded.journeys') }} as rate,
    {{ leadlag.wilson_low('bounded.converted', 'bounded.journeys') }} as rate_low,
    {{ leadlag.wilson_high('bounded.converted', 'bounded.journeys') }} as rate_high,
    {{ leadlag.double("case when bounded.score <> 'rule' then bounded.mean_score end") }} as expected_rate,
    bounded.auc,
    bounded.auc_low,
    bounded.auc_high,
    bounded.difference as auc_difference,
    bounded.difference - {{ z }} * sqrt(bounded.difference_variance) as auc_difference_low,
    bounded.difference + {{ z }} * sqrt(bounded.difference_variance) as auc_difference_high,
    coalesce(least(bounded.converted, bounded.journeys - bounded.converted) >= policy.minimum_outcomes, false) as is_reliable,
    case
        when bounded.converted = 0 or bounded.converted = bounded.journeys then 'one_outcome_only'
        when bounded.auc_low is null then 'too_few_or_all_tied'
    end as reason
from bounded
left join {{ ref('lead_score_threshold') }} as policy on bounded.score = policy.score
