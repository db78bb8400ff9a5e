with change as (

    select
        change.*,
        case when statistic in ('count', 'sum') then alert_numerator else alert_numerator / nullif(alert_denominator, 0) end as alert_value,
        case
            when statistic in ('count', 'sum') then baseline_numerator / baseline_periods
            else baseline_numerator / nullif(baseline_denominator, 0)
        end as baseline_value
    from {{ ref('int_kpi__alert_change') }} as change
    where baseline_periods > 0

),

-- Shares of the denominator, and what the part adds to the value of the whole; a part that one side lacks has the rate of the other.
weighed as (

    select
        part.*,
        whole.alert_value as whole_alert_value,
        whole.baseline_value as whole_baseline_value,
        part.alert_denominator / nullif(whole.alert_denominator, 0) as alert_share,
        part.baseline_denominator / nullif(whole.baseline_denominator, 0) as baseline_share,
        case
            when part.statistic in ('count', 'sum') then part.alert_value - part.baseline_value
            else part.alert_numerator / nullif(whole.alert_denominator, 0)
                - part.baseline_numerator / nullif(whole.baseline_denominator, 0)
        end as effect_of_part,
        (coalesce(part.alert_value, part.baseline_value, 0) + coalesce(part.baseline_value, part.alert_value, 0)) / 2 as mean_value
    from change as part
    inner join change as whole on part.alert_key = whole.alert_key and whole.is_whole
    where not part.is_whole and (part.alert_numerator <> 0 or part.alert_denominator <> 0
        or part.baseline_numerator <> 0 or part.baseline_denominator <> 0)

),

-- The change of the whole is exactly the sum over the parts of a cut. A change of share counts at the mean value of the part, the rest
-- is the part's own change; shares count from the mean of the whole, which sums to nothing.
decomposed as (

    select
        weighed.*,
        case when statistic not in ('count', 'sum') then effect_of_part - (alert_share - baseline_share) * mean_value end as rate_effect,
        case
            when statistic in ('count', 'sum') then effect_of_part
            else (alert_share - baseline_share) * (mean_value - (whole_alert_value + whole_baseline_value) / 2)
        end as mix_effect,
        -- How far the part's own change lies outside chance.
        case statistic
            when 'rate' then (alert_value - baseline_value) / nullif(sqrt(
                (alert_numerator + baseline_numerator) / (alert_denominator + baseline_denominator)
                * (1 - (alert_numerator + baseline_numerator) / (alert_denominator + baseline_denominator))
                * (1 / nullif(alert_denominator, 0) + 1 / nullif(baseline_denominator, 0))
            ), 0)
            when 'count' then (alert_value - baseline_value) / nullif(sqrt(
                (alert_numerator + baseline_numerator) / (1 + baseline_periods) * (1 + {{ leadlag.double(1) }} / baseline_periods)
            ), 0)
        end as change_z
    from weighed

),

summed as (

    select
        decomposed.*,
        coalesce(rate_effect, 0) + mix_effect as effect,
        coalesce((coalesce(rate_effect, 0) + mix_effect) / nullif(whole_alert_value - whole_baseline_value, 0), 0) as effect_share
    from decomposed

),

-- Parts of the same rows tie to nine places only: the last bits of their sums are an engine's own.
ranked as (

    select
        summed.*,
        row_number() over (
            partition by alert_key
            order by
                -- Parts that went the other way come last.
                case when floor(effect_share * 1e9 + 0.5) > 0 then 0 else 1 end,
                -floor(coalesce(abs(change_z), 0) * 1e9 + 0.5),
                -floor(abs(effect_share) * 1e9 + 0.5),
                cut_name,
                cut_value
        ) as cause_rank
    from summed

)

select
    alert_key,
    cast(cause_rank as integer) as cause_rank,
    cut_name,
    cut_value,
    alert_value,
    baseline_value,
    alert_share,
    baseline_share,
    rate_effect,
    mix_effect,
    effect,
    whole_alert_value - whole_baseline_value as alert_change,
    change_z,
    cause_rank <= cause_count as is_candidate
from ranked
