{{ config(materialized='view') }}

-- The months whose value is final under both versions, newest first.
with pair as (

    select
        kpi,
        variant,
        version,
        lag(version) over (partition by kpi, variant order by version) as previous_version
    from {{ ref('int_kpi__definition') }}

),

value as (

    select * from {{ ref('int_kpi__value') }}
    union all
    select * from {{ ref('int_kpi__product') }}

),

compared as (

    select
        pair.kpi,
        pair.variant,
        pair.version,
        pair.previous_version,
        later.period_start,
        earlier.value as value_before,
        later.value as value_after,
        row_number() over (partition by pair.kpi, pair.variant, pair.version order by later.period_start desc) as months_back
    from pair
    cross join {{ ref('int_input__clock') }} as clock
    inner join value as later
        on pair.kpi = later.kpi and pair.variant = later.variant and pair.version = later.version
    inner join value as earlier
        on
            pair.kpi = earlier.kpi
            and pair.variant = earlier.variant
            and pair.previous_version = earlier.version
            and later.period_grain = earlier.period_grain
            and later.period_start = earlier.period_start
            and later.cut_name = earlier.cut_name
    where
        later.period_grain = 'month'
        and later.cut_name = 'total'
        and later.next_period_start <= clock.as_of_date
        and later.pending_count = 0
        and earlier.pending_count = 0
        and later.value is not null
        and earlier.value is not null

)

select
    kpi,
    variant,
    version,
    previous_version,
    period_start,
    value_before,
    value_after
from compared
where months_back <= 4
