with phase as (

    select
        point.*,
        row_number() over (partition by series_key, phase_number order by period_start) as from_first,
        row_number() over (partition by series_key, phase_number order by period_start desc) as from_last
    from {{ ref('int_kpi__control_phase') }} as point
    where is_charted

),

change as (

    select
        change.org_change,
        change.changed_on,
        change.series_key,
        max(case when phase.next_period_start <= change.changed_on then phase.phase_number end) as phase_before,
        min(case when phase.period_start >= change.changed_on then phase.phase_number end) as phase_after
    from {{ ref('int_kpi__control_change') }} as change
    inner join phase on change.series_key = phase.series_key
    group by change.org_change, change.changed_on, change.series_key

),

period as (

    select
        change.*,
        case when change.phase_before = phase.phase_number then 'before' else 'after' end as side,
        phase.period_start,
        phase.numerator,
        phase.denominator,
        phase.value,
        phase.volume,
        count(*) over (partition by change.series_key, change.phase_before, change.phase_after, phase.kpi_value_key) - 1 as other_changes
    from change
    inner join phase
        on
            change.series_key = phase.series_key
            and (
                (change.phase_before = phase.phase_number and phase.from_last <= phase.baseline_periods)
                or (change.phase_after = phase.phase_number and phase.from_first <= phase.baseline_periods)
            )

),

pooled as (

    select
        period.*,
        sum(numerator) over (partition by org_change, series_key, side)
        / nullif(sum(denominator) over (partition by org_change, series_key, side), 0) as rate
    from period

),

standardised as (

    select
        pooled.*,
        (value - rate) / nullif(sqrt(greatest(rate * (1 - rate), 0) / nullif(denominator, 0)), 0) as deviation
    from pooled

),

moved as (

    select
        standardised.*,
        abs(deviation - lag(deviation) over (partition by org_change, series_key, side order by period_start)) as moving_range
    from standardised

)

select
    org_change,
    changed_on,
    series_key,
    side,
    max(other_changes) as other_changes,
    min(period_start) as first_period_start,
    max(period_start) as last_period_start,
    count(*) as periods,
    sum(volume) as volume,
    sum(numerator) as numerator,
    sum(denominator) as denominator,
    avg(value) as mean_value,
    var_samp(value) as variance,
    avg(moving_range) / 1.128 as dispersion
from moved
group by org_change, changed_on, series_key, side
