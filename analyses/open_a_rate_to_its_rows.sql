-- Which journeys are behind a rate, and why is each of the others not in its numerator?
-- Change the definition and the cut; run with `dbt show --select open_a_rate_to_its_rows`.
select
    conversion.why_not,
    conversion.in_denominator,
    conversion.in_numerator,
    conversion.journey_key,
    conversion.entered_at,
    conversion.converted_at,
    conversion.days_to_convert,
    journey.outcome,
    journey.furthest_stage,
    journey.touchpoint_count,
    journey.activity_count
from {{ ref('fct_conversion') }} as conversion
inner join {{ ref('fct_journey') }} as journey on conversion.journey_key = journey.journey_key
where
    conversion.conversion_definition = 'mql_to_sql_30d'
    and conversion.lead_source = 'paid_search'
order by conversion.entered_at desc
