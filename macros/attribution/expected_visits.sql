{#- Pre-hook of int_attribution__removal_effect: leaves the working table visits with (I - Q)^-1 of each chain, the expected visits to
    channel j of a path that is at channel i (kind 'visits'). Sums of powers by squaring: after n rounds 2^n steps, until what is left
    to walk has a probability below 1e-14. -#}
{% macro expected_visits(chain) %}
{%- if execute -%}
    {%- set matrix = leadlag.working_table('visits') -%}
    {%- set step = "select chain_key, from_channel, to_channel, probability from " ~ chain
        ~ " where from_channel <> '(start)' and to_channel not in ('(converted)', '(lost)')" -%}
    {%- set itself = "select distinct chain_key, to_channel, to_channel, " ~ leadlag.double(1) ~ " from " ~ chain
        ~ " where to_channel not in ('(converted)', '(lost)')" -%}
    {%- do leadlag.create_working_table('visits',
        "select 'power' as kind, step.* from (" ~ step ~ ") as step union all
        select 'visits' as kind, itself.* from (" ~ itself ~ ") as itself") -%}
    {%- set open = namespace(share=1) -%}
    {%- for round in range(40) if open.share is not none and open.share > 1e-14 -%}
        {%- do leadlag.create_working_table('next', "
            select kind, chain_key, from_channel, to_channel, sum(probability) as probability
            from (
                select near.kind, near.chain_key, near.from_channel, far.to_channel, near.probability * far.probability as probability
                from " ~ matrix ~ " as near
                inner join " ~ matrix ~ " as far
                    on near.chain_key = far.chain_key and near.to_channel = far.from_channel and far.kind = 'power'
                union all
                select kind, chain_key, from_channel, to_channel, probability from " ~ matrix ~ " where kind = 'visits'
            ) as product
            where probability > 1e-30
            group by kind, chain_key, from_channel, to_channel") -%}
        {%- do leadlag.replace_working_table('visits', 'next') -%}
        {%- set open.share = run_query('select max(probability) from ' ~ matrix ~ " where kind = 'power'").rows[0][0] -%}
    {%- endfor -%}
    {%- if open.share is not none and open.share > 1e-14 -%}
        {{ exceptions.raise_compiler_error("int_attribution__removal_effect: after 2^40 steps a share of " ~ open.share
            ~ " of a path has not ended, so " ~ chain ~ " is no chain whose paths end") }}
    {%- endif -%}
{%- endif -%}
{% endmacro %}
