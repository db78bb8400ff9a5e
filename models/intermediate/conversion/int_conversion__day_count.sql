{%- set cuts = ['lead_source', 'first_channel', 'region', 'product_line', 'journey_type'] -%}

-- A number for the four columns that name a definition: cheaper to group by.
with definition as (

    select
        *,
        row_number() over (order by conversion_definition, version, scope_region, scope_product_line) as definition_number
    from {{ ref('conversion_definition') }}

),

follow_up as (

    select
        definition.definition_number,
        follow_up.days_since_entry,
        follow_up.ending,
        {% for cut in cuts %}follow_up.{{ cut }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ ref('int_conversion__follow_up') }} as follow_up
    inner join definition
        on
            follow_up.conversion_definition = definition.conversion_definition
            and follow_up.definition_version = definition.version
            and follow_up.scope_region = definition.scope_region
            and follow_up.scope_product_line = definition.scope_product_line

),

counted as (

    select
        definition_number,
        {{ leadlag.cut_columns(cuts) }},
        days_since_entry,
        count(case when ending = 'converted' then 1 end) as converted,
        count(case when ending = 'lost' then 1 end) as lost,
        count(case when ending = 'open' then 1 end) as censored
    from follow_up
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
