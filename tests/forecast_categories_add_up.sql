-- Counts and amounts of all categories are those of the open pipeline.
with category as (

    select
        coalesce(sum(opportunity_count), 0) as opportunity_count,
        coalesce(sum(amount_base), 0) as amount_base
    from {{ ref('forecast_category') }}

),

pipeline as (

    select
        count(*) as opportunity_count,
        coalesce(sum(amount_base), 0) as amount_base
    from {{ ref('fct_opportunity') }}
    where is_counted and not is_closed

)

select
    category.opportunity_count,
    category.amount_base,
    pipeline.opportunity_count as open_count,
    pipeline.amount_base as open_amount
from category
cross join pipeline
where category.opportunity_count <> pipeline.opportunity_count or category.amount_base <> pipeline.amount_base
