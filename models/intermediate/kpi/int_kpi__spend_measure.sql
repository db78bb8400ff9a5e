{{ config(materialized='view') }}

with rate as (

    select
        currency_rate.*,
        lead(valid_from) over (partition by currency_code order by valid_from) as valid_to
    from {{ ref('currency_rate') }} as currency_rate

),

segment as (
    select {{ leadlag.segment_columns({}) }}
),

spend as (

    select
        spend.spend_key,
        spend.spend_date,
        segment.segment_key,
        {{ leadlag.double('spend.amount * rate.rate_to_base') }} as amount
    from {{ ref('int_input__spend') }} as spend
    inner join rate
        on
            upper(coalesce(spend.currency_code, '{{ var("base_currency", "EUR") }}')) = rate.currency_code
            and spend.spend_date >= rate.valid_from
            and (spend.spend_date < rate.valid_to or rate.valid_to is null)
    cross join segment
    where spend.amount is not null

)

{% for measure, sign in {'spend': 1, 'contribution': -1}.items() -%}
select
    '{{ measure }}' as measure,
    'spend' as subject,
    spend_key as subject_key,
    cast(null as bigint) as journey_key,
    segment_key,
    spend_date as measured_date,
    {{ sign }} * amount as amount,
    true as is_counted,
    false as is_pending
from spend
union all
{% endfor -%}
select
    'contribution' as measure,
    subject,
    subject_key,
    journey_key,
    segment_key,
    measured_date,
    amount,
    is_counted,
    is_pending
from {{ ref('int_kpi__opportunity_measure') }}
where measure = 'gross_margin'
