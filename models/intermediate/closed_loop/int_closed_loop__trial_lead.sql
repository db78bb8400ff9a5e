-- Journeys of a trial in the order of their entry. All have the same window, so those that are mature come first, and the path of
-- the test up to a lead depends on no later one.
with lead as (

    select
        trial.trial,
        trial.planned_leads,
        conversion.journey_key,
        conversion.entered_at,
        {{ dbt.dateadd('day', 'definition.window_days', 'conversion.entered_at') }} as mature_at,
        conversion.is_mature,
        conversion.in_numerator,
        {{ leadlag.double('trial.minimum_conversion') }} as low,
        {{ leadlag.double('trial.target_conversion') }} as high,
        row_number() over (partition by trial.trial order by conversion.entered_at, conversion.journey_key) as lead_number
    from {{ ref('vendor_trial') }} as trial
    inner join {{ ref('fct_conversion') }} as conversion
        on trial.conversion_definition = conversion.conversion_definition and trial.start_date <= conversion.entered_date
    inner join {{ ref('conversion_definition') }} as definition
        on
            conversion.conversion_definition = definition.conversion_definition
            and conversion.definition_version = definition.version
            and conversion.scope_region = definition.scope_region
            and conversion.scope_product_line = definition.scope_product_line
    inner join {{ ref('fct_journey') }} as journey on conversion.journey_key = journey.journey_key
    inner join {{ ref('int_closed_loop__record') }} as record
        on
            journey.entry_lead_record_key = record.lead_record_key
            and record.person_key is not null
            and trial.vendor = record.vendor
    where coalesce(conversion.why_not, '') <> 'recycled_policy'

),

counted as (

    select
        lead.*,
        count(case when in_numerator then 1 end) over (
            partition by trial order by lead_number
            rows between unbounded preceding and current row
        ) as conversions
    from lead
    where lead_number <= planned_leads

)

select
    trial,
    lead_number,
    journey_key,
    entered_at,
    mature_at,
    is_mature,
    conversions,
    conversions * ln(high / low) + (lead_number - conversions) * ln((1 - high) / (1 - low)) as log_ratio
from counted
