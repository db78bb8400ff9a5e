{{ config(materialized='view') }}

{%- set stages = ['inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won'] -%}

-- Bounds as instants: twelve conversions here instead of one a row below.
with definition as (

    select
        *,
        {{ leadlag.business_midnight('valid_from') }} as valid_from_at,
        {{ leadlag.business_midnight('valid_to') }} as valid_to_at
    from {{ ref('conversion_definition') }}

),

milestone as (

    select
        journey.journey_key,
        journey.person_key,
        journey.journey_number,
        journey.journey_type,
        journey.ended_at,
        journey.outcome,
        journey.lead_source,
        journey.first_channel,
        journey.region,
        journey.product_line,
        journey.campaign_key,
        journey.rep_key,
        definition.conversion_definition,
        definition.version as definition_version,
        definition.scope_region,
        definition.scope_product_line,
        definition.basis,
        definition.window_days,
        definition.time_basis,
        definition.recycled_policy,
        definition.maturity_days,
        definition.valid_from_at,
        definition.valid_to_at,
        {%- for which in ['from', 'to'] %}
        -- As recorded, as first seen whatever the order, and as reached (the stage or any later one).
        case definition.{{ which }}_milestone
            when 'first_touch' then journey.first_touch_at
            when 'first_sales_contact' then journey.first_sales_contact_at
            {%- for stage in stages %}
            when '{{ stage }}' then journey.{{ stage }}_at
            {%- endfor %}
        end as {{ which }}_at,
        case definition.{{ which }}_milestone
            {%- for stage in stages[:-1] %}
            when '{{ stage }}' then lifecycle.{{ stage }}_first_at
            {%- endfor %}
        end as {{ which }}_first_at,
        case
            when definition.skipped_policy = 'exclude' then null
            {%- for stage in stages[:-1] %}
            when definition.{{ which }}_milestone = '{{ stage }}' then coalesce(
                {%- for later in stages[loop.index0:] %}journey.{{ later }}_at{{ ', ' if not loop.last }}{% endfor -%}
            )
            {%- endfor %}
        end as {{ which }}_reached_at{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('fct_journey') }} as journey
    inner join {{ ref('int_lifecycle__journey') }} as lifecycle on journey.journey_key = lifecycle.journey_key
    cross join definition
    where
        definition.scope_region in ('*', journey.region)
        and definition.scope_product_line in ('*', journey.product_line)

),

entered as (

    select
        milestone.*,
        coalesce(from_at, from_first_at, from_reached_at) as entered_at,
        coalesce(to_at, to_reached_at) as converted_at,
        from_at is null and from_first_at is null as is_imputed,
        from_at is null and from_first_at is not null as is_out_of_order
    from milestone
    where
        coalesce(from_at, from_first_at, from_reached_at) >= valid_from_at
        and (coalesce(from_at, from_first_at, from_reached_at) < valid_to_at or valid_to_at is null)

)

select
    entered.*,
    {{ leadlag.business_date('entered_at') }} as entered_date,
    {{ leadlag.business_date('converted_at') }} as converted_date
from entered
