with margin as (

    select
        margin.*,
        lead(valid_from) over (partition by product_line order by valid_from) as valid_to
    from {{ ref('margin') }} as margin

),

opportunity as (

    select
        opportunity.*,
        {{ leadlag.business_date('opportunity.created_at') }} as created_date,
        {{ leadlag.business_date('opportunity.won_at') }} as won_date,
        row_number() over (
            partition by opportunity.account_key, opportunity.won_at is not null
            order by opportunity.won_at, opportunity.opportunity_key
        ) as account_order
    from {{ ref('fct_opportunity') }} as opportunity
    where opportunity.is_counted

)

select
    opportunity.opportunity_key,
    opportunity.journey_key,
    {{ leadlag.segment_columns({
        'region': 'coalesce(journey.region, opportunity.region)',
        'product_line': 'coalesce(journey.product_line, opportunity.product_line)',
        'lead_source': 'journey.lead_source',
        'first_channel': 'journey.first_channel',
        'journey_type': 'journey.journey_type',
    }) }},
    opportunity.created_date,
    opportunity.won_date,
    opportunity.won_at is not null and opportunity.account_key is not null and opportunity.account_order = 1 as is_first_of_account,
    {{ leadlag.double('opportunity.amount_base') }} as amount,
    {{ leadlag.double('opportunity.amount_base') }}
    * (1 - {{ leadlag.double('coalesce(own.cost_of_goods_share, general.cost_of_goods_share)') }}) as gross_margin
from opportunity
left join {{ ref('int_kpi__journey') }} as journey on opportunity.journey_key = journey.journey_key
left join margin as own
    on
        opportunity.product_line = own.product_line
        and opportunity.won_date >= own.valid_from
        and (opportunity.won_date < own.valid_to or own.valid_to is null)
left join margin as general
    on
        general.product_line = '*'
        and opportunity.won_date >= general.valid_from
        and (opportunity.won_date < general.valid_to or general.valid_to is null)
