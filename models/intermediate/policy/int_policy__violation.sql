{{ config(post_hook="{{ leadlag.stop_on_violation() }}") }}

with violation as (

    select * from {{ ref('int_policy__lifecycle_violation') }}
    union all
    select * from {{ ref('int_policy__conversion_violation') }}
    union all
    select * from {{ ref('int_policy__health_violation') }}
    union all
    select * from {{ ref('int_policy__kpi_violation') }}
    union all
    select * from {{ ref('int_policy__kpi_detail_violation') }}
    union all
    select * from {{ ref('int_policy__kpi_level_violation') }}
    union all
    select * from {{ ref('int_policy__control_chart_violation') }}
    union all
    select * from {{ ref('int_policy__report_violation') }}
    union all
    select * from {{ ref('int_policy__attribution_violation') }}
    union all
    select * from {{ ref('int_policy__budget_violation') }}
    union all
    select * from {{ ref('int_policy__closed_loop_violation') }}
    union all
    select * from {{ ref('int_policy__tracking_violation') }}
    union all
    select * from {{ ref('int_policy__scoring_violation') }}
    union all
    select * from {{ ref('int_policy__forecast_violation') }}
    union all
    select
        'seeds/policy/status_map.csv' as seed_file,
        source_system || ', ' || status_field || ', ' || status_raw as policy_row,
        'the data have a status that no row maps' as rule,
        'Add the row with its stage, or ignored; or set var unmapped_status to quarantine' as remedy
    from {{ ref('int_policy__unmapped_status') }}
    where '{{ var("unmapped_status", "error") }}' = 'error'

)

select
    seed_file,
    policy_row,
    rule,
    remedy
from violation
