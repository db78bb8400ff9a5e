{{ config(materialized='view') }}

-- Everything that a review counts, one row a thing, so that sources and vendors are summed alike.
with window_rule as (

    select
        rule.*,
        clock.as_of_date
    from {{ ref('source_review_rule') }} as rule
    cross join {{ ref('int_input__clock') }} as clock

),

entry as (

    select
        conversion.conversion_definition,
        conversion.entered_date,
        coalesce(conversion.lead_source, '(not recorded)') as lead_source,
        record.vendor,
        case when conversion.in_numerator then 1 else 0 end as converted
    from {{ ref('fct_conversion') }} as conversion
    inner join {{ ref('fct_journey') }} as journey on conversion.journey_key = journey.journey_key
    left join {{ ref('int_closed_loop__record') }} as record
        on journey.entry_lead_record_key = record.lead_record_key and record.person_key is not null
    where conversion.in_denominator

),

ad_cost as (

    select
        spend.spend_date,
        platform.lead_source,
        spend.amount_base
    from {{ ref('int_engagement__spend') }} as spend
    inner join {{ ref('ad_platform') }} as platform on spend.platform = platform.platform
    where spend.amount_base is not null

)

select
    rule.review,
    case when entry.conversion_definition = rule.early_definition then 'early' else 'late' end as measured,
    entry.lead_source,
    entry.vendor,
    entry.converted as counted,
    cast(null as {{ leadlag.type_double() }}) as cost_base
from window_rule as rule
inner join entry
    on
        entry.conversion_definition in (rule.early_definition, rule.late_definition)
        and {{ leadlag.days_between('entry.entered_date', 'rule.as_of_date') }} < rule.window_days
{% for measured in ['delivered', 'is_invalid', 'is_duplicate', 'is_deleted', 'has_no_email'] -%}
union all
select
    rule.review,
    '{{ measured }}' as measured,
    coalesce(record.lead_source, '(not recorded)') as lead_source,
    record.vendor,
    1 as counted,
    {{ 'record.cost_base' if measured == 'delivered' else 'null' }} as cost_base
from window_rule as rule
inner join {{ ref('int_closed_loop__record') }} as record
    on {{ leadlag.days_between('record.delivered_date', 'rule.as_of_date') }} < rule.window_days
{%- if measured != 'delivered' %} and record.{{ measured }}{% endif %}
{% endfor -%}
union all
select
    rule.review,
    'cost' as measured,
    ad_cost.lead_source,
    cast(null as {{ dbt.type_string() }}) as vendor,
    0 as counted,
    ad_cost.amount_base as cost_base
from window_rule as rule
inner join ad_cost on {{ leadlag.days_between('ad_cost.spend_date', 'rule.as_of_date') }} < rule.window_days
