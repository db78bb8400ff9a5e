{%- set milestones = ['entered', 'inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won', 'ended'] -%}

-- Wins with a touch that the reference model of attribution can give credit to.
with path as (

    select distinct path.journey_key
    from {{ ref('int_attribution__path') }} as path
    inner join {{ ref('int_attribution__model') }} as model on path.path_set_key = model.path_set_key
    where model.milestone = 'won' and model.is_reference

),

journey as (

    select
        journey.*,
        path.journey_key is not null as has_path,
        -- Sales may have been there before marketing qualified the lead.
        case when journey.first_sales_contact_at > journey.mql_at then journey.first_sales_contact_at else journey.mql_at end as contact_at,
        clock.as_of
    from {{ ref('fct_journey') }} as journey
    cross join {{ ref('int_input__clock') }} as clock
    left join path on journey.journey_key = path.journey_key

)

select
    journey_key,
    {{ leadlag.segment_columns({
        'region': 'region', 'product_line': 'product_line', 'lead_source': 'lead_source', 'first_channel': 'first_channel',
        'journey_type': 'journey_type',
    }) }},
    {%- for milestone in milestones %}
    {{ leadlag.business_date(milestone ~ '_at') }} as {{ milestone }}_date,
    {%- endfor %}
    case when first_sales_contact_at is not null then {{ leadlag.business_date('contact_at') }} end as contact_date,
    outcome,
    lead_source is not null as has_lead_source,
    rep_key is not null as has_owner,
    region is not null as has_region,
    touchpoint_count > 0 as has_touchpoint,
    has_path,
    case when first_sales_contact_at is not null then {{ leadlag.seconds_between('mql_at', 'contact_at') }} / 3600 end as hours_to_contact,
    {{ leadlag.seconds_between('mql_at', 'as_of') }} >= 86400 as is_contact_due,
    {{ leadlag.seconds_between('mql_at', 'sql_at') }} / 86400 as days_mql_to_sql,
    {{ leadlag.seconds_between('opportunity_at', 'won_at') }} / 86400 as days_to_win
from journey
