{#- PostgreSQL: two builds of one schema at the same time would leave tables of both. DuckDB lets one process write anyway.
    dbt has no connection that lasts a whole run, so the lock is a row, and its holder lives while the server has another
    connection of its name (profile: application_name with the schema). A killed build is gone at once. -#}
{% macro take_build_lock() %}
    {%- if execute and leadlag.locks_builds() -%}
        {%- set lock = leadlag.build_lock() -%}
        {%- call statement('build_lock') %}
        create table if not exists {{ lock }} (only_one boolean primary key, invocation_id text, holder text, login text, since timestamptz)
        {%- endcall -%}
        {%- set take -%}
            insert into {{ lock }}
            values (true, '{{ invocation_id }}', current_setting('application_name'), session_user, clock_timestamp())
            on conflict do nothing
        {%- endset -%}
        {%- call statement('take', auto_begin=false) %}begin; {{ take }}; commit{% endcall -%}
        {%- set other = run_query("select invocation_id, holder, login, since from " ~ lock).rows[0] -%}
        {%- if other[0] != invocation_id -%}
            {#- A live build is between two connections for milliseconds. -#}
            {%- set seen = namespace(live=false) -%}
            {%- for attempt in range(10) if not seen.live -%}
                {%- set live -%}
                    select count(*) from pg_stat_activity, (select pg_stat_clear_snapshot(), pg_sleep(0.2)) as pause
                    where datname = current_database() and application_name = '{{ other[1] }}' and pid <> pg_backend_pid()
                {%- endset -%}
                {%- set seen.live = run_query(live).rows[0][0] > 0 -%}
            {%- endfor -%}
            {%- if seen.live -%}
                {{ exceptions.raise_compiler_error("another build of schema " ~ target.schema ~ " is running (login " ~ other[2] ~ ", since "
                    ~ other[3] ~ ", application_name '" ~ other[1] ~ "'); wait for it or end it") }}
            {%- endif -%}
            {{ log("build lock: the build of " ~ other[3] ~ " ended without giving it back; taken over", info=true) }}
            {%- call statement('replace', auto_begin=false) -%}
            begin; delete from {{ lock }} where invocation_id = '{{ other[0] }}'; {{ take }}; commit
            {%- endcall -%}
            {%- if run_query("select invocation_id from " ~ lock).rows[0][0] != invocation_id -%}
                {{ exceptions.raise_compiler_error("another build of schema " ~ target.schema ~ " took the lock over at the same moment; run again when it has ended") }}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- on-run-end; also after a failed run. -#}
{% macro release_build_lock() %}
    {%- if execute and leadlag.locks_builds() -%}
    delete from {{ leadlag.build_lock() }} where invocation_id = '{{ invocation_id }}'
    {%- endif -%}
{% endmacro %}


{% macro locks_builds() %}
    {{ return(target.type == 'postgres' and flags.WHICH in ['build', 'run', 'retry', 'seed', 'snapshot']) }}
{% endmacro %}


{% macro build_lock() %}
    {{ return(target.schema ~ '_policy.build_lock') }}
{% endmacro %}
