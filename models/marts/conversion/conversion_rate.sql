{%- set cuts = ['lead_source', 'first_channel', 'region', 'product_line', 'journey_type', 'campaign_key', 'rep_key'] -%}
{%- set grains = ['week', 'month', 'quarter'] -%}
{%- set counts = [
    'entered', 'denominator', 'numerator', 'mature_count', 'converted_so_far', 'conversion_before_entry_count', 'recycled_excluded_count'
] -%}

-- A number for the four columns that name a definition: cheaper to group by.
with definition as (

    select
        *,
        row_number() over (order by conversion_definition, version, scope_region, scope_product_line) as definition_number
    from {{ ref('conversion_definition') }}

),

-- The piece of a week that lies in one month: weeks and months are both made of such pieces.
conversion as (

    select
        definition.definition_number,
        greatest(
            cast({{ dbt.date_trunc('week', 'conversion.entered_date') }} as date),
            cast({{ dbt.date_trunc('month', 'conversion.entered_date') }} as date)
        ) as piece_start,
        {% for cut in cuts %}conversion.{{ cut }}, {% endfor %}
        coalesce(conversion.why_not = 'recycled_policy', false) as is_excluded,
        conversion.in_denominator,
        conversion.in_numerator,
        conversion.is_mature,
        -- Whoever converted before being mature did so within the window.
        conversion.in_numerator or (coalesce(conversion.why_not = 'immature', false) and conversion.seconds_to_convert is not null)
            as is_converted_so_far,
        conversion.is_converted_before_entry
    from {{ ref('fct_conversion') }} as conversion
    inner join definition
        on
            conversion.conversion_definition = definition.conversion_definition
            and conversion.definition_version = definition.version
            and conversion.scope_region = definition.scope_region
            and conversion.scope_product_line = definition.scope_product_line

),

by_piece as (

    select
        definition_number,
        piece_start,
        {{ leadlag.cut_columns(cuts) }},
        count(case when not is_excluded then 1 end) as entered,
        count(case when in_denominator then 1 end) as denominator,
        count(case when in_numerator then 1 end) as numerator,
        count(case when is_mature and not is_excluded then 1 end) as mature_count,
        count(case when is_converted_so_far then 1 end) as converted_so_far,
        count(case when is_converted_before_entry and not is_excluded then 1 end) as conversion_before_entry_count,
        count(case when is_excluded then 1 end) as recycled_excluded_count
    from conversion
    group by grouping sets (
        (definition_number, piece_start){% for cut in cuts %}, (definition_number, piece_start, {{ cut }}){% endfor %}
    )

),

dated as (

    select
        by_piece.*,
        {%- for grain in grains %}
        cast({{ dbt.date_trunc(grain, 'piece_start') }} as date) as {{ grain }}_start{{ ',' if not loop.last }}
        {%- endfor %}
    from by_piece

),

by_period as (

    select
        definition_number,
        cut_name,
        cut_value,
        case{% for grain in grains %} when grouping({{ grain }}_start) = 0 then '{{ grain }}'{% endfor %} else 'total' end as period_grain,
        coalesce({% for grain in grains %}{{ grain }}_start{{ ', ' if not loop.last }}{% endfor %}) as period_start,
        {%- for count in counts %}
        cast(sum({{ count }}) as bigint) as {{ count }}{{ ',' if not loop.last }}
        {%- endfor %}
    from dated
    group by grouping sets (
        (definition_number, cut_name, cut_value)
        {%- for grain in grains %}, (definition_number, cut_name, cut_value, {{ grain }}_start){% endfor %}
    )

)

select
    definition.conversion_definition,
    definition.version as definition_version,
    definition.scope_region,
    definition.scope_product_line,
    definition.conversion_name,
    by_period.period_grain,
    -- The total covers all of the definition's validity, so it begins where that does.
    coalesce(by_period.period_start, definition.valid_from) as period_start,
    by_period.cut_name,
    by_period.cut_value,
    {%- for count in counts[:3] %}
    by_period.{{ count }},
    {%- endfor %}
    {{ leadlag.share('by_period.numerator', 'by_period.denominator') }} as rate,
    {{ leadlag.wilson_low('by_period.numerator', 'by_period.denominator') }} as rate_low,
    {{ leadlag.wilson_high('by_period.numerator', 'by_period.denominator') }} as rate_high,
    by_period.denominator >= definition.minimum_volume as is_reliable,
    by_period.mature_count,
    {{ leadlag.share('by_period.mature_count', 'by_period.entered') }} as mature_share,
    {%- for count in counts[4:] %}
    by_period.{{ count }}{{ ',' if not loop.last }}
    {%- endfor %}
from by_period
inner join definition on by_period.definition_number = definition.definition_number
