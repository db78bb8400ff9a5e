-- A numerator is part of its denominator, why_not explains every row outside the numerator and no other, times are never
-- negative, and a definition that counts a person once does.
select 'membership' as broken, conversion_key as example_key
from {{ ref('fct_conversion') }}
where
    (in_numerator and not in_denominator)
    or (in_numerator <> (why_not is null))
    or (in_denominator = (coalesce(why_not, '') in ('recycled_policy', 'immature')))
    or seconds_to_convert < 0
    or (in_numerator and converted_at is null)
union all
select 'journey twice under one definition' as broken, journey_key as example_key
from {{ ref('fct_conversion') }}
group by journey_key, conversion_definition
having count(*) > 1
union all
select 'person twice under a once-per-person definition' as broken, conversion.person_key as example_key
from {{ ref('fct_conversion') }} as conversion
inner join {{ ref('conversion_definition') }} as definition
    on
        conversion.conversion_definition = definition.conversion_definition
        and conversion.definition_version = definition.version
        and conversion.scope_region = definition.scope_region
        and conversion.scope_product_line = definition.scope_product_line
where conversion.in_denominator and definition.recycled_policy in ('first_journey', 'last_journey')
group by conversion.person_key, conversion.conversion_definition
having count(*) > 1
