select
    stage_event_key,
    person_key,
    lead_record_key,
    stage,
    case when governing_event_key is null then 'missing_in_authority' else 'timing' end as discrepancy_type,
    governing_system as winner_source_system,
    governing_event_key as winner_stage_event_key,
    governing_at as winner_at,
    source_system as loser_source_system,
    source_table as loser_source_table,
    source_id as loser_source_id,
    occurred_at as loser_at,
    difference_seconds,
    tolerance_hours
from {{ ref('int_lifecycle__evidence_event') }}
where resolution = 'overruled'
