-- depends_on: {{ ref('int_policy__violation') }}
with day as (
    {{ dbt_utils.date_spine(
        datepart='day',
        start_date="cast('" ~ var('calendar_start') ~ "' as date)",
        end_date=dbt.dateadd('day', 1, "cast('" ~ var('calendar_end') ~ "' as date)")
    ) }}
),

dated as (

    select cast(date_day as date) as date_day
    from day

)

select
    date_day,
    cast({{ dbt.date_trunc('week', 'date_day') }} as date) as week_start,
    cast({{ dbt.date_trunc('month', 'date_day') }} as date) as month_start,
    cast({{ dbt.date_trunc('quarter', 'date_day') }} as date) as quarter_start,
    cast({{ dbt.date_trunc('year', 'date_day') }} as date) as year_start,
    cast(extract(day from date_day) as integer) as day_of_month,
    cast(extract(month from date_day) as integer) as month_of_year,
    cast(extract(year from date_day) as integer) as calendar_year,
    cast(
        {{ leadlag.days_between("cast(" ~ dbt.date_trunc('week', 'date_day') ~ " as date)", 'date_day') }} + 1 as integer
    ) as iso_day_of_week
from dated
