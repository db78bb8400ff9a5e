{%- set cuts = ['lead_source', 'first_channel', 'region', 'product_line', 'journey_type'] -%}

-- A number for the four columns that name a definition: cheaper to group by.
with definition as (

    select
        *,
        row_number() over (order by conversion_definition, version, scope_region, scope_product_line) as definition_number
    from {{ ref('conversion_definition') }}

),

-- How each entry was followed: until it converted, until its journey ended without, or until as_of.
entry as (

    select
        definition.definition_number,
        definition.time_basis,
        conversion.entered_at,
        conversion.entered_date,
        conversion.days_to_convert,
        case
            when conversion.converted_at is not null then 'converted'
            when conversion.ended_at is not null then 'lost'
            else 'open'
        end as ending,
        coalesce(conversion.ended_at, clock.as_of) as left_at,
        {% for cut in cuts %}conversion.{{ cut }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ ref('fct_conversion') }} as conversion
    inner join definition
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

),

-- An end before the entry (a first contact after the loss) is an end at once.
followed as (

    select
        definition_number,
        ending,
        {% for cut in cuts %}{{ cut }}, {% endfor %}
        cast(case
            when ending = 'converted' then days_to_convert
            when left_at <= entered_at then 0
            when time_basis = 'calendar_days' then {{ leadlag.days_between('entered_date', leadlag.business_date('left_at')) }}
            else floor({{ leadlag.seconds_between('entered_at', 'left_at') }} / 86400)
        end as integer) as days_since_entry
    from entry

),

counted as (

    select
        definition_number,
        {{ leadlag.cut_columns(cuts) }},
        days_since_entry,
        count(case when ending = 'converted' then 1 end) as converted,
        count(case when ending = 'lost' then 1 end) as lost,
        count(case when ending = 'open' then 1 end) as censored
    from followed
    group by grouping sets (
        (definition_number, days_since_entry){% for cut in cuts %}, (definition_number, days_since_entry, {{ cut }}){% endfor %}
    )

)

select
    definition.conversion_definition,
    definition.version as definition_version,
    definition.scope_region,
    definition.scope_product_line,
    definition.conversion_name,
    definition.minimum_volume,
    counted.cut_name,
    counted.cut_value,
    counted.days_since_entry,
    counted.converted,
    counted.lost,
    counted.censored
from counted
inner join definition on counted.definition_number = definition.definition_number
