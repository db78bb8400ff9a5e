-- All charts are one: a rate is weighed by its denominator, a count by the days of its period, any other value by nothing.
with point as (

    select
        phase.*,
        case
            when chart_type in ('p', 'laney_p') then denominator
            when chart_type in ('u', 'laney_u') then {{ leadlag.double(leadlag.days_between('period_start', 'next_period_start')) }}
            else {{ leadlag.double(1) }}
        end as size,
        case when chart_type = 'xmr' then value else numerator end as amount
    from {{ ref('int_kpi__control_phase') }} as phase

),

baseline as (

    select
        series_key,
        phase_number,
        count(*) as found_periods,
        min(period_start) as baseline_start,
        max(next_period_start) as baseline_end,
        sum(amount) / sum(size) as rate,
        sum(size) / count(*) as mean_size
    from point
    where is_baseline
    group by series_key, phase_number

),

centred as (

    select
        point.*,
        coalesce(baseline.found_periods, 0) as found_periods,
        baseline.baseline_start,
        baseline.baseline_end,
        case when point.chart_type in ('u', 'laney_u') then baseline.rate * point.size else baseline.rate end as centre_line,
        -- Standard error by the binomial or Poisson law.
        case
            when point.chart_type in ('p', 'laney_p') then sqrt(greatest(baseline.rate * (1 - baseline.rate), 0) / nullif(point.size, 0))
            when point.chart_type in ('u', 'laney_u') then sqrt(baseline.rate * point.size)
            else {{ leadlag.double(1) }}
        end as standard_error,
        case
            when point.chart_type in ('p', 'laney_p') then baseline.mean_size * least(baseline.rate, 1 - baseline.rate)
            when point.chart_type in ('u', 'laney_u') then baseline.mean_size * baseline.rate
        end as expected_events
    from point
    left join baseline on point.series_key = baseline.series_key and point.phase_number = baseline.phase_number

),

standardised as (

    select
        centred.*,
        (value - centre_line) / nullif(standard_error, 0) as deviation
    from centred

),

moved as (

    select
        standardised.*,
        abs(deviation - lag(deviation) over (partition by series_key, phase_number, is_baseline order by period_start)) as moving_range
    from standardised

),

spread as (

    -- 1.128: mean range of two standard normal values.
    select
        moved.*,
        case
            when chart_type in ('p', 'u') then {{ leadlag.double(1) }}
            else avg(case when is_baseline then moving_range end) over (partition by series_key, phase_number) / 1.128
        end as dispersion
    from moved

),

judged as (

    select
        spread.*,
        case
            when found_periods < minimum_periods then 'too few periods in the baseline'
            when expected_events < minimum_expected then 'too few events expected'
            when coalesce(dispersion, 0) < 1e-9 or expected_events = 0 then 'no variation in the baseline'
        end as no_limits_reason
    from spread

)

select
    kpi_value_key,
    series_key,
    period_start,
    phase_number,
    chart_type,
    is_baseline,
    baseline_start,
    baseline_end,
    found_periods,
    dispersion,
    case when no_limits_reason is null then centre_line end as centre_line,
    case when no_limits_reason is null then standard_error * dispersion end as sigma,
    case when no_limits_reason is null and is_charted then deviation / dispersion end as z,
    coalesce(no_limits_reason is null and is_charted and not is_baseline, false) as is_tested,
    no_limits_reason
from judged
