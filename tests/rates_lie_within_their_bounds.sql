-- Parts are no larger than their wholes, a rate lies inside its interval, and where nobody counts there is none.
select
    'conversion_rate' as broken,
    conversion_definition,
    cut_value
from {{ ref('conversion_rate') }}
where
    not (numerator <= denominator and denominator <= entered and mature_count <= entered)
    or not (numerator <= converted_so_far and converted_so_far <= entered)
    or (mature_count = entered and converted_so_far <> numerator)
    or ((rate is null or rate_low is null or rate_high is null) <> (denominator = 0))
    or not (0 <= rate_low and rate_low <= rate and rate <= rate_high and rate_high <= 1)
union all
select
    'conversion_cohort' as broken,
    conversion_definition,
    cast(cohort_month as {{ dbt.type_string() }}) as cut_value
from {{ ref('conversion_cohort') }}
where
    not (converted <= mature_entered and mature_entered <= entered)
    or ((rate is null or rate_low is null or rate_high is null) <> (mature_entered = 0))
    or not (0 <= rate_low and rate_low <= rate and rate <= rate_high and rate_high <= 1)
    or not (-1 <= rate_change_low and rate_change_low <= rate_change and rate_change <= rate_change_high and rate_change_high <= 1)
    or (is_complete and mature_entered <> entered)
    or (prior_rate is not null and not is_complete)
