with judged as (

    -- The first reason that holds; each lies beyond the noise.
    select
        rate.*,
        case
            when early_entries < minimum_entries then 'fewer_entries_than_minimum'
            when late_entries >= minimum_entries and late_z < -critical_z then 'late_conversion_below_rest'
            when late_entries >= minimum_entries and cost_base / (late_entries * late_rate_high) > maximum_cost_per_late
                then 'late_cost_too_high'
            when early_z < -critical_z then 'early_conversion_below_rest'
            when duplicate_share_low > maximum_duplicate_share then 'too_many_duplicates'
            when invalid_share_low > maximum_invalid_share then 'too_many_invalid'
            when late_entries < minimum_entries then 'fewer_late_entries_than_minimum'
            when early_z > critical_z or late_z > critical_z then 'conversion_above_rest'
            else 'within_noise'
        end as reason
    from {{ ref('int_closed_loop__source_rate') }} as rate

)

select
    review,
    unit_type,
    unit,
    cast({{ dbt.dateadd('day', '1 - window_days', 'as_of_date') }} as date) as window_start,
    as_of_date as window_end,
    case
        when reason in ('late_conversion_below_rest', 'late_cost_too_high') then 'reallocate'
        when reason in ('early_conversion_below_rest', 'too_many_duplicates', 'too_many_invalid') then 'requalify'
        when reason in ('conversion_above_rest', 'within_noise') then 'keep'
        else 'too_few'
    end as verdict,
    reason,
    records_delivered,
    records_duplicate,
    duplicate_share,
    duplicate_share_low,
    duplicate_share_high,
    records_invalid,
    invalid_share,
    invalid_share_low,
    invalid_share_high,
    records_deleted,
    records_without_email,
    early_definition,
    early_entries,
    early_conversions,
    early_rate,
    early_rate_low,
    early_rate_high,
    rest_early_rate,
    early_difference_low,
    early_difference_high,
    early_z,
    late_definition,
    late_entries,
    late_conversions,
    late_rate,
    late_rate_low,
    late_rate_high,
    rest_late_rate,
    late_difference_low,
    late_difference_high,
    late_z,
    critical_z,
    minimum_entries,
    cost_base,
    cost_per_early,
    cost_per_late,
    owner
from judged
