with counted as (

    select * from {{ ref('int_integrity__source_day') }}

),

-- The newest day that two tables know: a source that stands still is seen by the others, and one table with rows of the
-- future moves nothing.
shared_day as (

    select date_day
    from counted
    where entity <> 'journey'
    group by date_day
    having count(*) >= 2

),

present as (

    select greatest(max(clock.as_of_date), coalesce(max(shared_day.date_day), max(clock.as_of_date))) as today
    from {{ ref('int_input__clock') }} as clock
    left join shared_day on clock.as_of_date < shared_day.date_day

),

source as (

    select
        entity,
        source_system,
        source_table,
        min(date_day) as first_day
    from counted
    group by entity, source_system, source_table

),

-- A day without rows says as much as one with rows.
dated as (

    select
        source.entity,
        source.source_system,
        source.source_table,
        calendar.date_day
    from source
    cross join present
    inner join {{ ref('dim_date') }} as calendar
        on source.first_day <= calendar.date_day and present.today >= calendar.date_day

)

select
    {{ leadlag.key([
        'coalesce(counted.entity, dated.entity)', 'coalesce(counted.source_system, dated.source_system)',
        'coalesce(counted.source_table, dated.source_table)', 'coalesce(counted.date_day, dated.date_day)',
    ]) }} as source_day_key,
    coalesce(counted.entity, dated.entity) as entity,
    coalesce(counted.source_system, dated.source_system) as source_system,
    coalesce(counted.source_table, dated.source_table) as source_table,
    coalesce(counted.date_day, dated.date_day) as date_day,
    coalesce(counted.date_day, dated.date_day) < present.today as is_complete,
    coalesce(counted.row_count, 0) as row_count,
    counted.quarantined_count,
    counted.without_owner_count,
    counted.without_lead_source_count,
    counted.web_touch_count,
    counted.without_utm_count,
    counted.without_touchpoint_count
from dated
full outer join counted
    on
        dated.entity = counted.entity
        and dated.source_system = counted.source_system
        and dated.source_table = counted.source_table
        and dated.date_day = counted.date_day
cross join present
