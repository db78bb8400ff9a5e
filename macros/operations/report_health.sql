{#- What source_health has to say, worst first, a line a finding. With fail: true a fail verdict ends the command with an error. -#}
{% macro report_health(fail=false) %}
    {%- if execute -%}
        {%- set query -%}
            select verdict, finding, remedy
            from {{ ref('source_health') }}
            where verdict in ('fail', 'warn')
            order by verdict, finding
        {%- endset -%}
        {%- set rows = run_query(query).rows -%}
        {%- for row in rows -%}
            {%- do log(row[0] ~ ": " ~ row[1] ~ ". To do: " ~ row[2], info=true) -%}
        {%- endfor -%}
        {%- set failed = rows | selectattr('0', 'equalto', 'fail') | list | length -%}
        {%- do log("source health: " ~ failed ~ " failed, " ~ (rows | length - failed) ~ " to watch", info=true) -%}
        {%- if fail and failed -%}
            {{ exceptions.raise_compiler_error(failed ~ " source checks failed; mart source_health has them all") }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
