-- Sums of every part that an alert may be blamed on, in the period and in its baseline. A part: a value of a cut, or of a second
-- attribute within the cut of the alert.
with alert as (

    select
        alert.*,
        dim_kpi.statistic,
        opened.cause_count
    from {{ ref('kpi_alert') }} as alert
    inner join {{ ref('int_kpi__alert_period') }} as opened
        on alert.alert_kind = opened.alert_kind and alert.opened_kpi_value_key = opened.kpi_value_key
    inner join {{ ref('dim_kpi') }} as dim_kpi on alert.kpi = dim_kpi.kpi and alert.version = dim_kpi.version
    where dim_kpi.statistic <> 'product' and alert.variant = 'global'

),

period as (

    select
        alert_key,
        opened_period as period_start,
        1 as is_alert
    from alert
    union all
    select
        alert_key,
        period_start,
        0 as is_alert
    from {{ ref('int_kpi__alert_baseline') }}

)

select
    alert.alert_key,
    alert.statistic,
    alert.cause_count,
    part.cut_name,
    part.cut_value,
    count(distinct case when period.is_alert = 0 then period.period_start end) as baseline_periods,
    {%- for side, name in {1: 'alert', 0: 'baseline'}.items() %}
    {%- for column in ['numerator', 'denominator'] %}
    sum(case when period.is_alert = {{ side }} then coalesce(part.{{ column }}, 0) else 0 end) as {{ name }}_{{ column }},
    {%- endfor %}
    {%- endfor %}
    part.cut_name = alert.cut_name as is_whole
from alert
inner join period on alert.alert_key = period.alert_key
inner join {{ ref('fct_kpi') }} as part
    on
        alert.kpi = part.kpi
        and alert.version = part.version
        and alert.variant = part.variant
        and alert.period_grain = part.period_grain
        and period.period_start = part.period_start
        and (
            alert.cut_name = 'total'
            or (alert.cut_name = part.cut_name and alert.cut_value = part.cut_value)
            or (part.cut_name like alert.cut_name || ' x %' and part.cut_value like alert.cut_value || ' x %')
        )
group by alert.alert_key, alert.statistic, alert.cause_count, part.cut_name, part.cut_value, part.cut_name = alert.cut_name
