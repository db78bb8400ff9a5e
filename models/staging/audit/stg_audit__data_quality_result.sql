select
    run_at,
    suite,
    schema_name,
    table_name,
    check_number,
    column_name,
    expectation,
    rule,
    is_passed,
    observed,
    checked_count,
    unexpected_count,
    unexpected_share,
    tolerated_share,
    failing_keys,
    remedy
from {{ source('audit', 'data_quality_result') }}
