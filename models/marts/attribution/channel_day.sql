{%- set milestones = {'mql': 'mqls', 'opportunity': 'opportunities', 'won': 'wins'} -%}

-- Spend without conversions and conversions without spend both stay.
with happened as (

    select
        credit.attribution_model,
        credit.version,
        credit.channel,
        credit.campaign_key,
        credit.converted_date as date_day,
        credit.currency_code,
        cast(null as numeric(18, 2)) as spend,
        cast(null as {{ leadlag.type_double() }}) as spend_base,
        0 as is_unconverted,
        {%- for milestone, name in milestones.items() %}
        case when credit.milestone = '{{ milestone }}' then credit.credit else 0 end as {{ name }},
        {%- endfor %}
        credit.amount,
        credit.amount_base,
        case when credit.milestone = 'won' then credit.credit * value.gross_margin end as gross_margin
    from {{ ref('fct_attribution_credit') }} as credit
    left join {{ ref('int_attribution__conversion_value') }} as value on credit.journey_key = value.journey_key
    union all
    select
        null as attribution_model,
        null as version,
        spend.channel,
        spend.campaign_key,
        spend.spend_date as date_day,
        spend.currency_code,
        spend.amount as spend,
        spend.amount_base as spend_base,
        case when spend.amount_base is null then 1 else 0 end as is_unconverted,
        {%- for name in milestones.values() %}
        0 as {{ name }},
        {%- endfor %}
        null as amount,
        null as amount_base,
        null as gross_margin
    from {{ ref('int_engagement__spend') }} as spend

)

select
    {{ leadlag.key(['attribution_model', 'version', 'channel', 'campaign_key', 'date_day', 'currency_code']) }} as channel_day_key,
    attribution_model,
    version,
    channel,
    campaign_key,
    date_day,
    currency_code,
    cast(sum(spend) as numeric(18, 2)) as spend,
    sum(spend_base) as spend_base,
    cast(sum(is_unconverted) as bigint) as unconverted_spend_rows,
    {%- for name in milestones.values() %}
    {{ leadlag.double('sum(' ~ name ~ ')') }} as {{ name }},
    {%- endfor %}
    sum(amount) as amount,
    sum(amount_base) as amount_base,
    sum(gross_margin) as gross_margin
from happened
group by attribution_model, version, channel, campaign_key, date_day, currency_code
