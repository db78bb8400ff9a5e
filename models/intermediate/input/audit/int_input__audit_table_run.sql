select
    run_at,
    suite,
    schema_name,
    table_name,
    count(*) as check_count,
    sum(case when is_passed then 0 else 1 end) as failed_check_count,
    sum(checked_count) as checked_count,
    sum(unexpected_count) as unexpected_count,
    max(unexpected_share) as worst_unexpected_share
from {{ ref('stg_audit__data_quality_result') }}
group by run_at, suite, schema_name, table_name
