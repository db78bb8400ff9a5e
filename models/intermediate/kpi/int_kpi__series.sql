-- Every period from the first that anything was measured for a KPI, so that a period without a win shows 0 wins.
with measured as (

    select
        use_key,
        cut_key,
        min(period_start) as first_start
    from {{ ref('int_kpi__measure_sum') }}
    group by use_key, cut_key

),

used as (

    select kpi, version, variant, numerator_use_key as use_key from {{ ref('int_kpi__definition') }}
    union all
    select kpi, version, variant, denominator_use_key as use_key from {{ ref('int_kpi__definition') }}

),

seen as (

    select
        used.kpi,
        used.version,
        used.variant,
        measured.cut_key,
        min(measured.first_start) as first_start
    from used
    inner join measured on used.use_key = measured.use_key
    group by used.kpi, used.version, used.variant, measured.cut_key

),

cut as (

    select distinct cut_key, cut_name, cut_value from {{ ref('int_kpi__segment_cut') }}

),

series as (

    select
        seen.kpi,
        seen.version,
        seen.variant,
        cut.cut_key,
        cut.cut_name,
        cut.cut_value,
        kpi_cut.period_grain,
        min(seen.first_start) over (partition by seen.kpi, seen.version, seen.variant) as first_start
    from seen
    inner join cut on seen.cut_key = cut.cut_key
    -- A cut that only the other measure of a ratio has would compare all of one with a part of the other.
    inner join {{ ref('int_kpi__kpi_cut') }} as kpi_cut on seen.kpi = kpi_cut.kpi and cut.cut_name = kpi_cut.cut_name

),

dated as (

    select
        series.*,
        period.period_start,
        period.next_period_start,
        definition.valid_from <= period.period_start
        and (definition.valid_to >= period.next_period_start or definition.valid_to is null) as is_in_force
    from series
    inner join {{ ref('int_kpi__definition') }} as definition
        on series.kpi = definition.kpi and series.version = definition.version and series.variant = definition.variant
    inner join {{ ref('int_kpi__period') }} as period
        on series.period_grain = period.period_grain and series.first_start <= period.period_start

)

select
    kpi,
    version,
    variant,
    cut_key,
    cut_name,
    cut_value,
    period_grain,
    period_start,
    next_period_start,
    is_in_force
from dated
-- Out of force the months' totals only: by them two versions of a KPI are compared.
where is_in_force or (period_grain = 'month' and cut_name = 'total')
