-- What a conversion gives to a channel or campaign, next to what the reference model gives it: either may give nothing.
with credit as (

    select
        attribution_model,
        version,
        milestone,
        journey_key,
        converted_date,
        case when grouping(channel) = 0 then 'channel' else 'campaign' end as cut_name,
        channel,
        campaign_key,
        sum(credit) as credit,
        sum(amount_base) as amount_base
    from {{ ref('fct_attribution_credit') }}
    group by grouping sets (
        (attribution_model, version, milestone, journey_key, converted_date, channel),
        (attribution_model, version, milestone, journey_key, converted_date, campaign_key)
    )

),

valued as (

    select
        credit.*,
        case
            when credit.cut_name = 'channel' then credit.channel
            else coalesce(cast(credit.campaign_key as {{ dbt.type_string() }}), '(none)')
        end as cut_value
    from credit

),

reference as (

    select
        other.attribution_model as compared_model,
        other.version as compared_version,
        valued.*
    from valued
    inner join {{ ref('int_attribution__model') }} as model
        on
            valued.attribution_model = model.attribution_model
            and valued.version = model.version
            and valued.milestone = model.milestone
            and model.is_reference
    inner join {{ ref('int_attribution__model') }} as other on model.milestone = other.milestone

)

select
    coalesce(valued.attribution_model, reference.compared_model) as attribution_model,
    coalesce(valued.version, reference.compared_version) as version,
    coalesce(valued.milestone, reference.milestone) as milestone,
    coalesce(valued.journey_key, reference.journey_key) as journey_key,
    coalesce(valued.converted_date, reference.converted_date) as converted_date,
    coalesce(valued.cut_name, reference.cut_name) as cut_name,
    coalesce(valued.cut_value, reference.cut_value) as cut_value,
    coalesce(valued.credit, 0) as credit,
    coalesce(valued.amount_base, 0) as amount_base,
    coalesce(reference.credit, 0) as reference_credit
from valued
full outer join reference
    on
        valued.attribution_model = reference.compared_model
        and valued.version = reference.compared_version
        and valued.milestone = reference.milestone
        and valued.journey_key = reference.journey_key
        and valued.cut_name = reference.cut_name
        and valued.cut_value = reference.cut_value
