{#- A view: an audit that stops a scheduled run must show although nothing is built after it. -#}
{{ config(materialized='view') }}

with shared as (

    select
        run_at,
        suite,
        schema_name,
        table_name,
        check_count,
        failed_check_count,
        checked_count,
        unexpected_count,
        worst_unexpected_share,
        cast(unexpected_count as {{ leadlag.type_double() }}) / nullif(checked_count, 0) as unexpected_share
    from {{ ref('int_input__audit_table_run') }}

),

compared as (

    select
        *,
        lag(run_at) over (partition by suite, schema_name, table_name order by run_at) as previous_run_at,
        lag(failed_check_count) over (partition by suite, schema_name, table_name order by run_at) as previous_failed_check_count,
        lag(unexpected_share) over (partition by suite, schema_name, table_name order by run_at) as previous_unexpected_share
    from shared

)

select
    run_at,
    {{ leadlag.business_date('run_at') }} as run_date,
    suite,
    schema_name,
    table_name,
    cast(check_count as {{ dbt.type_bigint() }}) as check_count,
    cast(failed_check_count as {{ dbt.type_bigint() }}) as failed_check_count,
    cast(checked_count as {{ dbt.type_bigint() }}) as checked_count,
    cast(unexpected_count as {{ dbt.type_bigint() }}) as unexpected_count,
    unexpected_share,
    worst_unexpected_share,
    previous_run_at,
    cast(failed_check_count - previous_failed_check_count as {{ dbt.type_bigint() }}) as failed_check_change,
    unexpected_share - previous_unexpected_share as unexpected_share_change
from compared
