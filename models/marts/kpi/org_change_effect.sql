{%- set z = leadlag.normal_quantile() -%}

with limited as (

    select
        comparison.*,
        {%- for side in ['before', 'after'] %}
        {%- for limit in ['low', 'high'] %}
        {{ leadlag.wilson_limit('numerator_' ~ side ~ ' / overdispersion', 'denominator_' ~ side ~ ' / overdispersion', limit) }}
        as {{ limit }}_{{ side }},
        {%- endfor %}
        {%- endfor %}
        sqrt(nullif(error_before + error_after, 0)) as standard_error,
        (error_before + error_after) * (error_before + error_after) / nullif(
            error_before * error_before / nullif(periods_before - 1, 0) + error_after * error_after / nullif(periods_after - 1, 0), 0
        ) as freedom,
        least(periods_before, periods_after) >= effect_periods as is_enough
    from {{ ref('int_kpi__control_comparison') }} as comparison

),

compared as (

    -- Quantile of t: Abramowitz and Stegun (1964), 26.7.5; 1 % short at 2 degrees of freedom, exact to 3 digits from 4 on.
    select
        limited.*,
        standard_error * (
            {{ z }} + {{ (z ** 3 + z) / 4 }} / freedom + {{ (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96 }} / (freedom * freedom)
            + {{ (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384 }} / (freedom * freedom * freedom)
            + {{ (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160 }} / (freedom * freedom * freedom * freedom)
        ) as margin
    from limited

),

estimated as (

    select
        compared.*,
        case when is_enough then value_after - value_before end as difference,
        case
            when not is_enough then null
            when statistic = 'rate' then {{ leadlag.difference_low('value_after', 'low_after', 'value_before', 'high_before') }}
            else value_after - value_before - margin
        end as difference_low,
        case
            when not is_enough then null
            when statistic = 'rate' then {{ leadlag.difference_high('value_after', 'high_after', 'value_before', 'low_before') }}
            else value_after - value_before + margin
        end as difference_high
    from compared

)

select
    org_change,
    changed_on,
    kpi,
    version,
    variant,
    period_grain,
    cut_name,
    cut_value,
    before_start,
    after_start,
    cast(periods_before as integer) as periods_before,
    cast(periods_after as integer) as periods_after,
    cast(volume_before as bigint) as volume_before,
    cast(volume_after as bigint) as volume_after,
    value_before,
    value_after,
    difference,
    difference_low,
    difference_high,
    case when statistic = 'rate' then 'newcombe' else 'welch' end as interval_method,
    case when statistic = 'rate' then overdispersion end as overdispersion,
    cast(other_changes as integer) as other_changes,
    difference_low > 0 or difference_high < 0 as is_significant,
    case
        when not is_enough then 'too few periods'
        when difference_low is null then 'no variation'
    end as no_interval_reason
from estimated
