{%- set series = 'alert_kind, kpi, version, variant, period_grain, cut_name, cut_value' -%}

with counted as (

    select
        alert_period.*,
        lag(is_breached) over (partition by {{ series }} order by period_start) as was_breached
    from {{ ref('int_kpi__alert_period') }} as alert_period

),

-- An alert is one run of breached periods among those judged, however long it lasts.
numbered as (

    select
        counted.*,
        sum(case when is_breached and not coalesce(was_breached, false) then 1 else 0 end) over (
            partition by {{ series }} order by period_start rows between unbounded preceding and current row
        ) as alert_number
    from counted

),

alert as (

    select
        {{ series }},
        alert_number,
        min(period_start) as opened_period,
        max(case when is_breached then period_start end) as last_breached_period,
        min(case when not is_breached then period_start end) as recovered_period,
        count(case when is_breached then 1 end) as breached_periods
    from numbered
    where alert_number > 0
    group by {{ series }}, alert_number

)

select
    {{ leadlag.key([
        'alert.alert_kind', 'alert.kpi', 'alert.version', 'alert.variant', 'alert.period_grain', 'alert.cut_name', 'alert.cut_value',
        'alert.opened_period'
    ]) }} as alert_key,
    alert.alert_kind,
    alert.kpi,
    alert.version,
    alert.variant,
    dim_kpi.kpi_name,
    dim_kpi.unit,
    alert.period_grain,
    alert.cut_name,
    alert.cut_value,
    alert.opened_period,
    alert.last_breached_period,
    alert.recovered_period,
    case when alert.recovered_period is null then 'open' else 'recovered' end as alert_status,
    cast(alert.breached_periods as integer) as breached_periods,
    opened.value as opened_value,
    opened.threshold as opened_threshold,
    latest.value as last_breached_value,
    opened.kpi_value_key as opened_kpi_value_key,
    dim_kpi.accountable as owner
from alert
inner join {{ ref('dim_kpi') }} as dim_kpi on alert.kpi = dim_kpi.kpi and alert.version = dim_kpi.version
{%- for name, period in {'opened': 'opened_period', 'latest': 'last_breached_period'}.items() %}
inner join {{ ref('int_kpi__alert_period') }} as {{ name }}
    on
        alert.alert_kind = {{ name }}.alert_kind
        and alert.kpi = {{ name }}.kpi
        and alert.version = {{ name }}.version
        and alert.variant = {{ name }}.variant
        and alert.period_grain = {{ name }}.period_grain
        and alert.cut_name = {{ name }}.cut_name
        and alert.cut_value = {{ name }}.cut_value
        and alert.{{ period }} = {{ name }}.period_start
{%- endfor %}
