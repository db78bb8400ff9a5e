-- Where do CRM and marketing automation disagree, how often, and by how much?
-- Run with `dbt show --select disputes_between_systems`.
select
    stage,
    discrepancy_type,
    winner_source_system,
    loser_source_system,
    count(*) as dispute_count,
    count(distinct person_key) as person_count,
    avg(abs(difference_seconds)) / 86400 as mean_days_apart,
    max(tolerance_hours) as tolerance_hours
from {{ ref('status_discrepancy') }}
group by stage, discrepancy_type, winner_source_system, loser_source_system
order by dispute_count desc
