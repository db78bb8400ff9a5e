-- A window of 30, 60, 90 ... days is an age of the cohort table: the two marts count the same journeys by different roads.
select
    rate.conversion_definition,
    rate.period_start,
    rate.denominator,
    cohort.mature_entered,
    rate.numerator,
    cohort.converted
from {{ ref('conversion_rate') }} as rate
inner join {{ ref('conversion_definition') }} as definition
    on
        rate.conversion_definition = definition.conversion_definition
        and rate.definition_version = definition.version
        and rate.scope_region = definition.scope_region
        and rate.scope_product_line = definition.scope_product_line
left join {{ ref('conversion_cohort') }} as cohort
    on
        rate.conversion_definition = cohort.conversion_definition
        and rate.definition_version = cohort.definition_version
        and rate.scope_region = cohort.scope_region
        and rate.scope_product_line = cohort.scope_product_line
        and rate.period_start = cohort.cohort_month
        and definition.window_days = cohort.age_days
where
    rate.period_grain = 'month'
    and rate.cut_name = 'total'
    and definition.window_days % 30 = 0
    and (
        rate.denominator <> coalesce(cohort.mature_entered, 0)
        or rate.numerator <> coalesce(cohort.converted, 0)
    )
