-- Every period from the first that anything was measured for a KPI, so that a period without a win shows 0 wins.
with seen as (

    select
        definition.kpi,
        definition.version,
        definition.variant,
        measured.cut_name,
        measured.cut_value,
        min(measured.period_start) as first_start
    from {{ ref('int_kpi__definition') }} as definition
    inner join {{ ref('int_kpi__measure_sum') }} as measured
        on
            measured.measure in (definition.numerator_measure, definition.denominator_measure)
            and definition.scope_region = measured.scope_region
            and definition.scope_product_line = measured.scope_product_line
            and definition.weight_scheme = measured.weight_scheme
    group by definition.kpi, definition.version, definition.variant, measured.cut_name, measured.cut_value

),

series as (

    select
        seen.kpi,
        seen.version,
        seen.variant,
        seen.cut_name,
        seen.cut_value,
        kpi_cut.period_grain,
        min(seen.first_start) over (partition by seen.kpi, seen.version, seen.variant) as first_start
    from seen
    -- A cut that only the other measure of a ratio has would compare all of one with a part of the other.
    inner join {{ ref('int_kpi__kpi_cut') }} as kpi_cut on seen.kpi = kpi_cut.kpi and seen.cut_name = kpi_cut.cut_name

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
    cut_name,
    cut_value,
    period_grain,
    period_start,
    next_period_start,
    is_in_force
from dated
-- Out of force the months' totals only: by them two versions of a KPI are compared.
where is_in_force or (period_grain = 'month' and cut_name = 'total')
