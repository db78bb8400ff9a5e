-- Effects of the values of one cut sum to the change of the whole, wherever the cut covers all of it.
select
    alert_key,
    cut_name,
    max(alert_change) as alert_change,
    sum(effect) as effect
from {{ ref('kpi_alert_cause') }}
group by alert_key, cut_name
having abs(sum(effect) - max(alert_change)) > 1e-9 * (1 + abs(max(alert_change)))
