{{ config(materialized='view') }}

with segment as (
    select {{ leadlag.segment_columns({}) }}
),

spend as (

    select
        spend.spend_key,
        spend.spend_date,
        segment.segment_key,
        spend.amount_base as amount
    from {{ ref('int_engagement__spend') }} as spend
    cross join segment
    where spend.amount_base is not null

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
