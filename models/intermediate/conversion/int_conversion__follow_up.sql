{{ config(materialized='view') }}

with entry as (

    select
        conversion.*,
        definition.time_basis,
        case
            when conversion.converted_at is not null then 'converted'
            when conversion.ended_at is not null then 'lost'
            else 'open'
        end as ending,
        coalesce(conversion.ended_at, clock.as_of) as left_at
    from {{ ref('fct_conversion') }} as conversion
    inner join {{ ref('conversion_definition') }} as definition
        on
            conversion.conversion_definition = definition.conversion_definition
            and conversion.definition_version = definition.version
            and conversion.scope_region = definition.scope_region
            and conversion.scope_product_line = definition.scope_product_line
    cross join {{ ref('int_input__clock') }} as clock
    where
        coalesce(conversion.why_not <> 'recycled_policy', true)
        and not conversion.is_converted_before_entry
        and conversion.entered_at <= clock.as_of

)

select
    conversion_key,
    conversion_definition,
    definition_version,
    scope_region,
    scope_product_line,
    journey_key,
    lead_source,
    first_channel,
    region,
    product_line,
    journey_type,
    ending,
    -- A journey that ended before the entry (a first sales contact after the loss) is lost at once.
    cast(case
        when ending = 'converted' then days_to_convert
        when left_at <= entered_at then 0
        when time_basis = 'calendar_days' then {{ leadlag.days_between('entered_date', leadlag.business_date('left_at')) }}
        else floor({{ leadlag.seconds_between('entered_at', 'left_at') }} / 86400)
    end as integer) as days_since_entry
from entry
