with entry as (

    select
        conversion.conversion_definition,
        conversion.definition_version,
        conversion.scope_region,
        conversion.scope_product_line,
        definition.conversion_name,
        definition.minimum_volume,
        cast({{ dbt.date_trunc('month', 'conversion.entered_date') }} as date) as cohort_month,
        clock.as_of_date,
        -- Both compare as the windows of fct_conversion do, so that 30 days here are 30 days there.
        cast(case definition.time_basis
            when 'calendar_days'
                then floor(({{ leadlag.days_between('conversion.entered_date', 'clock.as_of_date') }} - 1) / {{ leadlag.double('30') }})
            else floor({{ leadlag.seconds_between('conversion.entered_at', 'clock.as_of') }} / {{ leadlag.double('2592000') }})
        end as integer) as completed_periods,
        cast(case definition.time_basis
            when 'calendar_days' then ceil(conversion.days_to_convert / {{ leadlag.double('30') }})
            else ceil(conversion.seconds_to_convert / {{ leadlag.double('2592000') }})
        end as integer) as periods_to_convert
    from {{ ref('fct_conversion') }} as conversion
    inner join {{ ref('conversion_definition') }} as definition
        on
            conversion.conversion_definition = definition.conversion_definition
            and conversion.definition_version = definition.version
            and conversion.scope_region = definition.scope_region
            and conversion.scope_product_line = definition.scope_product_line
    cross join {{ ref('int_input__clock') }} as clock
    where coalesce(conversion.why_not <> 'recycled_policy', true)

)

select
    conversion_definition,
    definition_version,
    scope_region,
    scope_product_line,
    conversion_name,
    minimum_volume,
    cohort_month,
    coalesce({{ dbt.dateadd('month', 1, 'cohort_month') }} <= as_of_date, false) as is_over,
    completed_periods,
    periods_to_convert,
    count(*) as entries
from entry
group by
    conversion_definition,
    definition_version,
    scope_region,
    scope_product_line,
    conversion_name,
    minimum_volume,
    cohort_month,
    as_of_date,
    completed_periods,
    periods_to_convert
