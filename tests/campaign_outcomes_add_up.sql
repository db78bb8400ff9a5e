-- Spend is counted once at its own campaign, and each journey that a campaign touched once at its first one.
with outcome as (

    select
        cast(sum(case when spend_link = 'own' then ad_spend_base else 0 end) as numeric(18, 2)) as spend,
        sum(first_journeys) as first_journeys,
        count(case when first_journeys > any_journeys or any_won > any_journeys or first_won > any_won then 1 end) as too_many
    from {{ ref('campaign_outcome') }}

),

expected as (

    select
        (select coalesce(sum(amount), 0) from {{ ref('int_kpi__spend_measure') }} where measure = 'spend') as spend,
        (
            select count(distinct journey_key) from {{ ref('int_closed_loop__campaign_touch') }}
            where journey_key is not null
        ) as first_journeys,
        (select count(*) from {{ ref('campaign_outcome') }}) as campaigns

)

select outcome.*
from outcome
cross join expected
where
    expected.campaigns > 0
    -- Each campaign is rounded to cents.
    and (
        abs(outcome.spend - expected.spend) > 0.005 * expected.campaigns
        or outcome.first_journeys <> expected.first_journeys
        or outcome.too_many > 0
    )
