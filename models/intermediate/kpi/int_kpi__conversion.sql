{{ config(materialized='view') }}

select
    conversion.conversion_key,
    conversion.conversion_definition,
    conversion.definition_version,
    conversion.journey_key,
    journey.segment_key,
    conversion.entered_date,
    conversion.is_mature,
    conversion.in_denominator,
    conversion.in_numerator
from {{ ref('fct_conversion') }} as conversion
inner join {{ ref('int_kpi__journey') }} as journey on conversion.journey_key = journey.journey_key
where coalesce(conversion.why_not <> 'recycled_policy', true)
