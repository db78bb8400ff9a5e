{%- set rules = range(1, 9) -%}

with signalled as (

    select
        phase.*,
        chart.baseline_start,
        chart.baseline_end,
        chart.found_periods,
        chart.centre_line,
        chart.sigma,
        chart.z,
        chart.is_tested,
        chart.no_limits_reason,
        -- The rules that hold at this point, of those that policy names: '|1|2'.
        {%- for rule in rules %}
        {{ '|| ' if not loop.first -}}
        case when signal.rule_{{ rule }} and phase.nelson_rules like '%{{ rule }}%' then '|{{ rule }}' else '' end
        {%- endfor %} as rules
    from {{ ref('int_kpi__control_phase') }} as phase
    inner join {{ ref('int_kpi__control_limit') }} as chart on phase.kpi_value_key = chart.kpi_value_key
    left join {{ ref('int_kpi__control_signal') }} as signal on phase.kpi_value_key = signal.kpi_value_key

)

select
    kpi_value_key,
    kpi,
    version,
    variant,
    period_grain,
    period_start,
    next_period_start,
    cut_name,
    cut_value,
    value,
    volume,
    chart_type,
    cast(phase_number as integer) as phase_number,
    last_changed_on,
    is_baseline,
    baseline_start,
    baseline_end,
    cast(found_periods as integer) as baseline_periods,
    centre_line,
    sigma,
    -- greatest and least pass over null.
    case
        when sigma is null then null
        when chart_type in ('p', 'laney_p', 'u', 'laney_u') then greatest(centre_line - 3 * sigma, 0)
        else centre_line - 3 * sigma
    end as lower_limit,
    case
        when sigma is null then null
        when chart_type in ('p', 'laney_p') then least(centre_line + 3 * sigma, 1)
        else centre_line + 3 * sigma
    end as upper_limit,
    z,
    is_tested,
    case
        when is_tested then null
        when value is null then 'no value'
        when is_mixed then 'an organisational change lies in the period'
        when not is_charted then 'volume below the minimum'
        when no_limits_reason is not null then no_limits_reason
        else 'in the baseline'
    end as not_tested_reason,
    nullif(substr(rules, 2), '') as signalled_rules,
    rules <> '' as is_signal
from signalled
