-- On every day of a curve the three shares are the whole, who leaves is missing the next day, and the curve never falls.
{%- set curve = 'conversion_definition, definition_version, scope_region, scope_product_line, cut_name, cut_value' %}
with step as (

    select
        time_to_convert.*,
        lag(at_risk - converted - lost - censored) over (partition by {{ curve }} order by days_since_entry) as expected_at_risk,
        lag(cumulative_incidence) over (partition by {{ curve }} order by days_since_entry) as previous_incidence
    from {{ ref('time_to_convert') }} as time_to_convert

),

entry as (

    select
        conversion.conversion_definition,
        conversion.definition_version,
        conversion.scope_region,
        conversion.scope_product_line,
        count(*) as entered
    from {{ ref('fct_conversion') }} as conversion
    cross join {{ ref('int_input__clock') }} as clock
    where
        coalesce(conversion.why_not, '') <> 'recycled_policy'
        and not conversion.is_converted_before_entry
        and conversion.entered_at <= clock.as_of
    group by
        conversion.conversion_definition,
        conversion.definition_version,
        conversion.scope_region,
        conversion.scope_product_line

),

followed as (

    select
        conversion_definition,
        definition_version,
        scope_region,
        scope_product_line,
        cut_name,
        sum(entered) as entered,
        sum(converted + lost + still_open) as ended
    from {{ ref('time_to_convert_summary') }}
    group by conversion_definition, definition_version, scope_region, scope_product_line, cut_name

)

select
    'curve' as broken,
    conversion_definition,
    cut_name
from step
where
    abs(cumulative_incidence + cumulative_loss + overall_survival - 1) > 1e-9
    or at_risk <> expected_at_risk
    or cumulative_incidence < previous_incidence - 1e-9
    or days_since_entry < 0
    or not (0 <= incidence_low and incidence_low <= cumulative_incidence and cumulative_incidence <= incidence_high and incidence_high <= 1)
union all
select
    'entries' as broken,
    entry.conversion_definition,
    followed.cut_name
from entry
left join followed
    on
        entry.conversion_definition = followed.conversion_definition
        and entry.definition_version = followed.definition_version
        and entry.scope_region = followed.scope_region
        and entry.scope_product_line = followed.scope_product_line
where coalesce(entry.entered <> followed.entered, true) or followed.entered <> followed.ended
