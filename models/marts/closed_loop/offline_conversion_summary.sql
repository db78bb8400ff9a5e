with counted as (

    select
        platform,
        milestone,
        coalesce(exclusion, 'exportable') as export_state,
        count(*) as conversions,
        sum(conversion_value) as conversion_value
    from {{ ref('int_closed_loop__exportable') }}
    group by platform, milestone, coalesce(exclusion, 'exportable')

)

select
    rule.platform,
    rule.milestone,
    rule.conversion_name,
    counted.export_state,
    cast(coalesce(counted.conversions, 0) as bigint) as conversions,
    cast(counted.conversion_value as numeric(18, 2)) as conversion_value,
    '{{ var("base_currency", "EUR") }}' as currency_code,
    '{{ var("business_timezone", "UTC") }}' as time_zone,
    clock.as_of
from {{ ref('conversion_export') }} as rule
left join counted on rule.platform = counted.platform and rule.milestone = counted.milestone
cross join {{ ref('int_input__clock') }} as clock
