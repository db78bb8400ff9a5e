with clock as (

    select
        as_of,
        {{ leadlag.business_date('as_of') }} as as_of_day
    from {{ ref('int_input__clock') }}

),

category as (

    select
        forecast_category,
        minimum_probability,
        lead(minimum_probability) over (order by minimum_probability) as next_minimum
    from {{ ref('forecast_category_rule') }}

),

open_opportunity as (

    select
        coalesce(region, '(none)') as region,
        coalesce(product_line, '(none)') as product_line,
        cast({{ dbt.date_trunc('quarter', 'close_date') }} as date) as close_quarter,
        close_date,
        probability,
        coalesce(probability, 0) as stage_probability,
        amount_base
    from {{ ref('fct_opportunity') }}
    where is_counted and not is_closed

)

select
    clock.as_of,
    category.forecast_category,
    opportunity.region,
    opportunity.product_line,
    opportunity.close_quarter,
    coalesce(opportunity.close_date < clock.as_of_day, false) as is_overdue,
    count(*) as opportunity_count,
    count(*) - count(opportunity.amount_base) as without_amount_count,
    count(*) - count(opportunity.probability) as without_probability_count,
    cast(coalesce(sum(opportunity.amount_base), 0) as numeric(18, 2)) as amount_base,
    {{ leadlag.double('coalesce(sum(opportunity.amount_base * opportunity.stage_probability), 0)') }} as weighted_amount
from open_opportunity as opportunity
inner join category
    on
        opportunity.stage_probability >= category.minimum_probability
        and (category.next_minimum is null or opportunity.stage_probability < category.next_minimum)
cross join clock
group by
    clock.as_of,
    category.forecast_category,
    opportunity.region,
    opportunity.product_line,
    opportunity.close_quarter,
    coalesce(opportunity.close_date < clock.as_of_day, false)
