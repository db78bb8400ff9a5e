with dated as (

    select
        kpi.*,
        clock.as_of_date,
        cast({{ dbt.dateadd('month', 6, 'clock.as_of_date') }} as date) as half_year_end,
        max(case when kpi.status <> 'draft' then kpi.version end) over (partition by kpi.kpi) as last_version
    from {{ ref('dim_kpi') }} as kpi
    cross join {{ ref('int_input__clock') }} as clock

)

select
    owner,
    accountable,
    kpi,
    version,
    kpi_name,
    case
        when status = 'retired' then 'retired'
        when version < last_version then 'replaced'
        when review_date < as_of_date then 'overdue'
        when review_date <= half_year_end then 'due'
        else 'later'
    end as review_state,
    review_date,
    cast({{ leadlag.days_between('as_of_date', 'review_date') }} as integer) as days_to_review,
    case when status = 'retired' then valid_to end as retired_on,
    case
        when status = 'retired' then successor
        when version < last_version then kpi
    end as successor
from dated
where status <> 'draft'
