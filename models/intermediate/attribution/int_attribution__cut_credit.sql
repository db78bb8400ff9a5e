{{ config(materialized='ephemeral') }}

-- What a conversion gives to a channel or campaign, next to what the reference model gives it: either may give nothing.
with credited as (

    select
        model.model_key,
        model.milestone,
        model.is_reference,
        credit.journey_key,
        credit.converted_date,
        credit.channel,
        credit.campaign_key,
        credit.credit,
        credit.amount_base
    from {{ ref('fct_attribution_credit') }} as credit
    inner join {{ ref('int_attribution__model') }} as model
        on
            credit.attribution_model = model.attribution_model
            and credit.version = model.version
            and credit.milestone = model.milestone

),

beside as (

    select
        model_key,
        journey_key,
        converted_date,
        channel,
        campaign_key,
        credit,
        amount_base,
        {{ leadlag.double(0) }} as reference_credit
    from credited
    union all
    select
        model.model_key,
        reference.journey_key,
        reference.converted_date,
        reference.channel,
        reference.campaign_key,
        {{ leadlag.double(0) }} as credit,
        null as amount_base,
        reference.credit as reference_credit
    from credited as reference
    inner join {{ ref('int_attribution__model') }} as model on reference.milestone = model.milestone
    where reference.is_reference

)

select
    model_key,
    journey_key,
    converted_date,
    case when grouping(channel) = 0 then 'channel' else 'campaign' end as cut_name,
    case when grouping(channel) = 0 then channel else coalesce(cast(campaign_key as {{ dbt.type_string() }}), '(none)') end as cut_value,
    sum(credit) as credit,
    coalesce(sum(amount_base), 0) as amount_base,
    sum(reference_credit) as reference_credit
from beside
group by grouping sets (
    (model_key, journey_key, converted_date, channel),
    (model_key, journey_key, converted_date, campaign_key)
)
