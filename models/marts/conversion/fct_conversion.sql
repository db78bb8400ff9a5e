{{ leadlag.incremental('whole_persons') }}
-- depends_on: {{ ref('conversion_definition') }}
{%- set since = leadlag.increment().since %}

with {% if since is not none -%}
-- What has become mature since, or no longer is.
aged as (

    select conversion.person_key
    from {{ this }} as conversion
    inner join {{ ref('conversion_definition') }} as definition
        on
            conversion.conversion_definition = definition.conversion_definition
            and conversion.definition_version = definition.version
            and conversion.scope_region = definition.scope_region
            and conversion.scope_product_line = definition.scope_product_line
    cross join {{ ref('int_input__clock') }} as clock
    where conversion.is_mature <> {{ leadlag.is_mature('conversion', 'definition') }}

),

{% endif -%}
scoped as (

    select * from {{ ref('int_conversion__scoped_entry') }}
    {%- if since is not none %}
    where {{ leadlag.of_touched_persons(since) }} or person_key in (select person_key from aged)
    {%- endif %}

),

person as (

    select
        person_key,
        conversion_definition,
        min(journey_number) as first_number,
        max(journey_number) as last_number
    from scoped
    where recycled_policy <> 'every_journey'
    group by person_key, conversion_definition

),

timed as (

    select
        scoped.*,
        case scoped.recycled_policy
            when 'first_journey' then scoped.journey_number = person.first_number
            when 'last_journey' then scoped.journey_number = person.last_number
            else true
        end as is_admitted,
        coalesce(scoped.converted_at < scoped.entered_at, false) as is_before_entry,
        case when not coalesce(scoped.converted_at < scoped.entered_at, false)
            then {{ leadlag.seconds_between('scoped.entered_at', 'scoped.converted_at') }} end as seconds_to_convert,
        {{ leadlag.days_between('scoped.entered_date', 'scoped.converted_date') }} as calendar_days,
        {{ leadlag.is_mature('scoped', 'scoped') }} as is_mature
    from scoped
    cross join {{ ref('int_input__clock') }} as clock
    left join person
        on scoped.person_key = person.person_key and scoped.conversion_definition = person.conversion_definition

),

judged as (

    select
        timed.*,
        case
            when basis = 'stage' then converted_at is not null
            when is_before_entry or converted_at is null then false
            when time_basis = 'calendar_days' then calendar_days <= window_days
            else seconds_to_convert <= window_days * 86400
        end as is_converted
    from timed

)

select
    {{ leadlag.key(['journey_key', 'conversion_definition']) }} as conversion_key,
    conversion_definition,
    definition_version,
    scope_region,
    scope_product_line,
    journey_key,
    person_key,
    journey_number,
    entered_at,
    entered_date,
    converted_at,
    ended_at,
    outcome,
    seconds_to_convert,
    cast(case when time_basis = 'calendar_days' and not is_before_entry then calendar_days
        else floor(seconds_to_convert / 86400) end as integer) as days_to_convert,
    is_imputed,
    is_out_of_order,
    is_before_entry as is_converted_before_entry,
    is_mature,
    is_admitted and (basis = 'stage' or is_mature) as in_denominator,
    is_admitted and (basis = 'stage' or is_mature) and is_converted as in_numerator,
    case
        when not is_admitted then 'recycled_policy'
        when basis = 'window' and not is_mature then 'immature'
        when is_converted then null
        when is_before_entry then 'conversion_before_entry'
        when converted_at is null then 'not_converted'
        else 'converted_late'
    end as why_not,
    lead_source,
    first_channel,
    region,
    product_line,
    campaign_key,
    rep_key,
    journey_type
from judged
