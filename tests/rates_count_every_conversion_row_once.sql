-- Whatever the grain and the cut, the cells of conversion_rate add up to fct_conversion: no journey is left out or counted twice.
{%- set definition = 'conversion_definition, definition_version, scope_region, scope_product_line' %}
with told as (

    select
        {{ definition }},
        period_grain,
        cut_name,
        sum(entered) as entered,
        sum(denominator) as denominator,
        sum(numerator) as numerator,
        sum(mature_count) as mature_count,
        sum(conversion_before_entry_count) as before_entry,
        sum(recycled_excluded_count) as excluded
    from {{ ref('conversion_rate') }}
    group by {{ definition }}, period_grain, cut_name

),

grain as (

    select distinct
        period_grain,
        cut_name
    from told

),

counted as (

    select
        {{ definition }},
        count(case when coalesce(why_not, '') <> 'recycled_policy' then 1 end) as entered,
        count(case when in_denominator then 1 end) as denominator,
        count(case when in_numerator then 1 end) as numerator,
        count(case when is_mature and coalesce(why_not, '') <> 'recycled_policy' then 1 end) as mature_count,
        count(case when is_converted_before_entry and coalesce(why_not, '') <> 'recycled_policy' then 1 end) as before_entry,
        count(case when why_not = 'recycled_policy' then 1 end) as excluded
    from {{ ref('fct_conversion') }}
    group by {{ definition }}

)

select
    counted.conversion_definition,
    grain.period_grain,
    grain.cut_name,
    counted.entered as entered_in_fct,
    told.entered as entered_in_rate
from counted
cross join grain
left join told
    on
        counted.conversion_definition = told.conversion_definition
        and counted.definition_version = told.definition_version
        and counted.scope_region = told.scope_region
        and counted.scope_product_line = told.scope_product_line
        and grain.period_grain = told.period_grain
        and grain.cut_name = told.cut_name
where
    coalesce(counted.entered <> told.entered, true)
    or counted.denominator <> told.denominator
    or counted.numerator <> told.numerator
    or counted.mature_count <> told.mature_count
    or counted.before_entry <> told.before_entry
    or counted.excluded <> told.excluded
