{%- set group = ['attribution_model', 'version', 'milestone', 'period_grain', 'period_start', 'cut_name'] -%}

with cut as (

    select
        *,
        {{ leadlag.key(group) }} as group_key,
        credit / sum(credit) over grouped as credit_share,
        count(case when is_compared then 1 end) over grouped as compared_count,
        {{ leadlag.double(2) }} / {{ leadlag.double(1 - var('confidence_level', 0.95)) }} as bound
    from {{ ref('int_attribution__cut_sum') }}
    window grouped as (partition by {{ group | join(', ') }})

),

-- How far chance alone moves a difference of a conversion's credits, summed: were either way as likely for each conversion,
-- P(|sum d| > x sqrt(sum d * d)) <= 2 exp(-x * x / 2), however few there are (Efron 1969).
-- Bonferroni over all of the group.
judged as (

    select
        cut.*,
        2 * ln(bound * greatest(compared_count, 1)) as difference_bound,
        2 * ln(bound * greatest(compared_count * (compared_count - 1) / 2, 1)) as pair_bound
    from cut

),

-- As credits are never negative, sum d * d of two channels is at most the sum of both variances; what one gains by the noise of the
-- weights the other may lose.
ranked as (

    select
        cut.group_key,
        cut.cut_value,
        count(case when other.credit > cut.credit then 1 end) as larger_count,
        count(case when other.credit < cut.credit then 1 end) as smaller_count
    from judged as cut
    inner join judged as other
        on
            cut.group_key = other.group_key
            and cut.cut_value <> other.cut_value
            and cut.is_compared
            and other.is_compared
            and (cut.credit - other.credit) * (cut.credit - other.credit) > cut.pair_bound * (
                cut.credit_variance + other.credit_variance
                + power(sqrt(cut.weight_variance) + sqrt(other.weight_variance), 2)
            )
    group by cut.group_key, cut.cut_value

),

noisy as (

    select
        *,
        credit_variance + weight_variance as variance,
        amount_variance + weight_variance * power(coalesce(amount_base / nullif(credit, 0), 0), 2) as money_variance,
        sqrt(difference_bound * (difference_variance + difference_weight_variance)) as difference_noise
    from judged

)

select
    {{ leadlag.key(group + ['cut.cut_value']) }} as attribution_comparison_key,
    cut.attribution_model,
    cut.version,
    cut.milestone,
    cut.period_grain,
    cut.period_start,
    cut.cut_name,
    cut.cut_value,
    cut.credit,
    {{ leadlag.credit_low('cut.credit', 'cut.variance', 'cut.conversion_count') }} as credit_low,
    {{ leadlag.credit_high('cut.credit', 'cut.variance', 'cut.conversion_count', 1) }} as credit_high,
    cut.credit_share,
    cast(cut.conversion_count as bigint) as conversion_count,
    cut.amount_base,
    {{ leadlag.credit_low('cut.amount_base', 'cut.money_variance', 'cut.amount_count') }} as amount_base_low,
    {{ leadlag.credit_high('cut.amount_base', 'cut.money_variance', 'cut.amount_count', 'null') }} as amount_base_high,
    cut.reference_credit,
    cut.credit - cut.reference_credit as difference,
    cut.credit - cut.reference_credit - cut.difference_noise as difference_low,
    cut.credit - cut.reference_credit + cut.difference_noise as difference_high,
    abs(cut.credit - cut.reference_credit) <= cut.difference_noise as is_within_noise,
    case when cut.is_compared then cast(1 + coalesce(ranked.larger_count, 0) as integer) end as rank_from,
    case when cut.is_compared then cast(cut.compared_count - coalesce(ranked.smaller_count, 0) as integer) end as rank_to
from noisy as cut
left join ranked on cut.group_key = ranked.group_key and cut.cut_value = ranked.cut_value
