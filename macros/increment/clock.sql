{#- Post-hook of int_input__clock: what became known, or is no longer known, since the clock of the build before has changed
    although its source has not. -#}
{% macro note_clock() %}
    {%- if leadlag.remembers_builds() -%}
        {%- set build = leadlag.build_table('build') -%}
        {%- set before = '(select as_of from ' ~ build ~ ' where as_of is not null and build_number < ' ~ leadlag.current_build()
            ~ ' order by build_number desc limit 1)' -%}
        update {{ build }} set as_of = (select as_of from {{ this }}) where build_number = {{ leadlag.current_build() }};
        {%- if run_query('select 1 from ' ~ this ~ ' where as_of <> ' ~ before) | length -%}
            {%- for entity in ['lead_record', 'status_event', 'opportunity', 'opportunity_stage_event', 'touchpoint', 'activity', 'campaign'] -%}
                {%- set checked = ref('int_input__' ~ entity ~ '_checked') -%}
                {%- set moved -%}
                (
                    select checked.*
                    from {{ checked }} as checked
                    cross join {{ this }} as clock
                    where checked.known_at > least(clock.as_of, {{ before }}) and checked.known_at <= greatest(clock.as_of, {{ before }})
                )
                {%- endset %}
        {{ leadlag.note_changes(leadlag.changes_of('int_input__' ~ entity ~ '_checked'), moved) }}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
