-- The piece of a week that lies in one month: weeks and months are both made of such pieces.
select
    measure.measure,
    measure.segment_key,
    greatest(
        cast({{ dbt.date_trunc('week', 'measure.measured_date') }} as date),
        cast({{ dbt.date_trunc('month', 'measure.measured_date') }} as date)
    ) as piece_start,
    count(case when measure.is_counted then 1 end) as row_count,
    sum(case when measure.is_counted then measure.amount else 0 end) as amount,
    sum(case when measure.is_counted then measure.amount * measure.amount else 0 end) as amount_squared,
    count(case when measure.is_pending then 1 end) as pending_count
from {{ ref('int_kpi__measure') }} as measure
where measure.measure in (select measure from {{ ref('int_kpi__use') }})
group by 1, 2, 3
