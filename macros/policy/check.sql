{#- Before anything is built: settings and sources that cannot work stop the run with one error that names them all. -#}
{% macro check_settings() %}
    {%- if execute and flags.WHICH in ['build', 'run', 'retry'] -%}
        {%- set errors = [] -%}
        {%- set known = ['salesforce', 'hubspot', 'web', 'ads', 'product', 'offline'] -%}
        {%- for connector in var('connectors', []) if connector not in known -%}
            {%- do errors.append("var connectors: there is no connector '" ~ connector ~ "'; use some of " ~ known | join(', ')
                ~ ", or name your own relations in var contract_relations") -%}
        {%- endfor -%}
        {%- if var('connectors', []) | length == 0 and 'lead_record' not in var('contract_relations', {}) -%}
            {%- do errors.append("var contract_relations: no relation for lead_record and no connector is on; name at least one") -%}
        {%- endif -%}
        {%- if var('business_timezone', 'UTC') not in modules.pytz.all_timezones -%}
            {%- do errors.append("var business_timezone: '" ~ var('business_timezone')
                ~ "' is not a time zone of the IANA data base; write e.g. Europe/Berlin") -%}
        {%- endif -%}
        {%- if var('confidence_level', 0.95) | float not in [0.80, 0.90, 0.95, 0.99] -%}
            {%- do errors.append("var confidence_level: " ~ var('confidence_level') ~ " is not one of 0.80, 0.90, 0.95, 0.99") -%}
        {%- endif -%}
        {%- if not 0 < var('recommended_window_share', 0.8) | float <= 1 -%}
            {%- do errors.append("var recommended_window_share: " ~ var('recommended_window_share') ~ " is not above 0 and at most 1") -%}
        {%- endif -%}
        {%- if var('unmapped_status', 'error') not in ['error', 'quarantine'] -%}
            {%- do errors.append("var unmapped_status: '" ~ var('unmapped_status') ~ "' is neither error nor quarantine") -%}
        {%- endif -%}
        {%- if leadlag.access_is_on() -%}
            {%- set known = run_query("select current_user, (select count(*) from pg_roles where rolname = 'leadlag_build')").rows[0] -%}
            {%- if known[1] == 0 -%}
                {%- do errors.append("var access_control: this server has no role leadlag_build; an administrator runs once: dbt run-operation create_access") -%}
            {%- elif known[0] != 'leadlag_build' -%}
                {%- do errors.append("var access_control: marts must belong to leadlag_build, not to '" ~ known[0]
                    ~ "'; an administrator says: alter role " ~ known[0] ~ " set role leadlag_build") -%}
            {%- endif -%}
        {%- endif -%}
        {%- if target.type == 'spark' and adapter.dispatch('cast', 'dbt').macro.package_name in ['dbt', 'dbt_spark'] -%}
            {%- do errors.append("on Spark dbt has to ask leadlag for some of its own macros (macros/sql/spark.sql); write into dbt_project.yml: "
                ~ "dispatch: [{macro_namespace: dbt, search_order: [" ~ project_name ~ ", leadlag, dbt]}]") -%}
        {%- endif -%}
        {%- set errors = errors + leadlag.missing_required_tables() -%}
        {%- if errors -%}
            {{ exceptions.raise_compiler_error("leadlag cannot start:\n  - " ~ errors | join("\n  - ")) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- Post-hook of int_policy__violation and int_policy__unmapped_status: any row stops the run. -#}
{% macro stop_on_violation() %}
    {%- if execute -%}
        {%- set rows = run_query('select seed_file, policy_row, rule, remedy from ' ~ this ~ ' order by 1, 2, 3') -%}
        {%- if rows | length > 0 -%}
            {%- set lines = [] -%}
            {%- for row in rows.rows[:20] -%}
                {%- do lines.append(row[0] ~ ", row [" ~ row[1] ~ "]: " ~ row[2] ~ ". " ~ row[3] ~ ".") -%}
            {%- endfor -%}
            {%- if rows | length > 20 -%}{%- do lines.append("and " ~ (rows | length - 20) ~ " more, named when these are mended") -%}{%- endif -%}
            {{ exceptions.raise_compiler_error("the rules contradict themselves or the data, nothing was built:\n  - " ~ lines | join("\n  - ")) }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
