{%- set stages = ['inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won'] -%}

with milestone as (

    select distinct milestone from {{ ref('int_attribution__model') }}

),

-- Deals in several currencies are told in the base currency, or not at all where one of them has no rate.
deal as (

    select
        journey_key,
        'won' as milestone,
        case when count(amount_base) = count(amount) then sum(amount_base) end as amount_base,
        case
            when min(currency_code) = max(currency_code) then sum(amount)
            when count(amount_base) = count(amount) then sum(amount_base)
        end as amount,
        case
            when min(currency_code) = max(currency_code) then min(currency_code) else '{{ var("base_currency", "EUR") }}'
        end as currency_code
    from {{ ref('fct_opportunity') }}
    where is_counted and won_at is not null and journey_key is not null
    group by journey_key

),

judged as (

    select
        journey.*,
        milestone.milestone,
        case milestone.milestone
            {%- for stage in stages %}
            when '{{ stage }}' then journey.{{ stage }}_at
            {%- endfor %}
        end as converted_at
    from {{ ref('fct_journey') }} as journey
    cross join milestone

),

concluded as (

    select
        *,
        coalesce(converted_at, ended_at) as concluded_at,
        cast(floor({{ leadlag.epoch_us('coalesce(converted_at, ended_at)') }} / 900000000.0) as bigint) as quarter_hour
    from judged
    where converted_at is not null or ended_at is not null

),

-- Dates change at a quarter of an hour in every time zone; asking for one costs twenty times what looking it up does.
dated as (

    select
        quarter_hour,
        {{ leadlag.business_date('min(concluded_at)') }} as concluded_date
    from concluded
    group by quarter_hour

)

select
    concluded.journey_key,
    concluded.milestone,
    concluded.person_key,
    concluded.converted_at is not null as is_converted,
    concluded.concluded_at,
    dated.concluded_date,
    concluded.inquiry_at,
    concluded.mql_at,
    concluded.opportunity_at,
    {{ leadlag.double('deal.amount') }} as amount,
    deal.currency_code,
    {{ leadlag.double('deal.amount_base') }} as amount_base
from concluded
inner join dated on concluded.quarter_hour = dated.quarter_hour
left join deal on concluded.journey_key = deal.journey_key and concluded.milestone = deal.milestone
