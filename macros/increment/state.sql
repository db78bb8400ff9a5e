{#- What builds remember, in schema <target schema>_build:
      build        one row a run: its number, and the clock it built with;
      model_state  one row a model: the last build whose changes it holds, the last one that made it anew, its rules;
      change       what changed in which build: kind and key (or text id) of records, addresses, visitors, persons ... -#}
{% macro build_table(name) %}
    {{ return(api.Relation.create(database=target.database, schema=target.schema ~ '_build', identifier=name)) }}
{% endmacro %}


{% macro current_build() -%}
    (select max(build_number) from {{ leadlag.build_table('build') }})
{%- endmacro %}


{% macro remembers_builds() %}
    {{ return(execute and target.type != 'spark' and leadlag.is_building() and model.resource_type != 'unit_test') }}
{% endmacro %}


{#- On-run-start. -#}
{% macro start_build() %}
    {%- if leadlag.remembers_builds() -%}
        {%- set build = leadlag.build_table('build') -%}
        {%- do adapter.create_schema(build) -%}
        {%- call statement('start_build', auto_begin=true) %}
        create table if not exists {{ build }} (build_number bigint, invocation_id {{ dbt.type_string() }}, as_of timestamp);
        create table if not exists {{ leadlag.build_table('model_state') }} (
            model {{ dbt.type_string() }}, build_number bigint, rebuilt_in bigint, increment_in bigint, rules {{ dbt.type_string() }}
        );
        create table if not exists {{ leadlag.build_table('change') }} (
            build_number bigint, kind {{ dbt.type_string() }}, change_key bigint, change_id {{ dbt.type_string() }}
        );
        insert into {{ build }}
        select coalesce(max(build_number), 0) + 1, '{{ invocation_id }}', cast(null as timestamp)
        from {{ build }}
        {%- endcall -%}
        {%- do adapter.commit() -%}
    {%- endif -%}
{% endmacro %}


{#- On-run-end: forgets changes that every model has taken up, except those of the last build, for who wants to see them. -#}
{% macro end_build() %}
    {%- if leadlag.remembers_builds() -%}
        {%- set readers = [] -%}
        {%- for node in graph.nodes.values() if node.config.get('incremental_strategy') in ['changed_rows', 'whole_persons'] -%}
            {%- do readers.append("'" ~ node.unique_id ~ "'") -%}
        {%- endfor -%}
        {%- set everyone_has -%}
            (select coalesce(min(build_number), 0) from {{ leadlag.build_table('model_state') }} where model in ({{ readers | join(', ') }}))
        {%- endset -%}
        delete from {{ leadlag.build_table('change') }} where build_number < {{ everyone_has }};
        {%- set person = api.Relation.create(
            database=target.database, schema=graph.nodes['model.leadlag.int_increment__person'].schema, identifier='int_increment__person') %}
        {%- if leadlag.existing(person) is not none %}
        delete from {{ person }} where build_number < {{ everyone_has }};
        {%- endif %}
        delete from {{ leadlag.build_table('build') }} where build_number < {{ everyone_has }} - 100
    {%- endif -%}
{% endmacro %}


{#- Ids of what a model reads: `tables` made by builds, at which the walk stops, and the `rules` before them: policy seeds and
    the code of views. The gate on policy violations is no input; the clock notes itself what its moves change; and what sources
    deliver is compared row by row. -#}
{% macro inputs_of(model_id) %}
    {%- set apart = ['int_policy__violation', 'int_policy__fingerprint', 'int_input__clock'] -%}
    {%- set found = {'tables': [], 'rules': []} -%}
    {%- set open = graph.nodes[model_id].depends_on.nodes | list -%}
    {%- set seen = [] -%}
    {%- for _ in range(500) if open -%}
        {%- set id = open.pop() -%}
        {%- if id not in seen and id in graph.nodes and id.split('.')[2] not in apart -%}
            {%- do seen.append(id) -%}
            {%- set node = graph.nodes[id] -%}
            {%- if node.resource_type == 'seed' -%}
                {%- do found.rules.append(id) -%}
            {%- elif node.config.materialized == 'incremental' -%}
                {%- do found.tables.append(id) -%}
            {%- elif node.package_name == 'leadlag' and not leadlag.is_connector(node) -%}
                {%- do found.rules.append(id) -%}
                {%- do open.extend(node.depends_on.nodes) -%}
                {%- if node.config.materialized == 'table' -%}
                    {%- do found.tables.append(id) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{#- Whether a node only brings rows of a source into the contract, whose content is compared row by row. -#}
{% macro is_connector(node) %}
    {{ return('staging' in node.fqn or ('input' in node.fqn and node.fqn | length > 4)) }}
{% endmacro %}


{#- Name -> fingerprint of every rule that decides the rows of a model: policy seeds by content, settings, and SQL. -#}
{% macro rules_of(model_id) %}
    {%- set rules = {'setting business_timezone': var('business_timezone', 'UTC'), 'setting base_currency': var('base_currency', 'EUR')} -%}
    {%- set policy = {} -%}
    {%- for row in run_query('select policy, fingerprint from ' ~ ref('int_policy__fingerprint')).rows -%}
        {%- do policy.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {%- for id in leadlag.inputs_of(model_id).rules + [model_id] -%}
        {%- set node = graph.nodes[id] -%}
        {%- if node.resource_type == 'seed' -%}
            {%- do rules.update({'seed ' ~ node.name: policy[node.name] | string}) -%}
        {%- else -%}
            {%- do rules.update({'SQL of ' ~ node.name: node.checksum.checksum}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(rules) }}
{% endmacro %}


{#- Whether a model can be brought up to date: {since: the last build whose changes it holds, reasons: why it is made anew
    all the same}. `since` is none for a new model, with --full-refresh, when a rule has changed, or when something that the
    model reads was made anew, which tells nobody what changed. -#}
{% macro increment() %}
    {%- set state = {} -%}
    {%- if leadlag.remembers_builds() and is_incremental() -%}
        {%- set query = 'select model, build_number, rebuilt_in, rules from ' ~ leadlag.build_table('model_state') -%}
        {%- for row in run_query(query).rows -%}
            {%- do state.update({row[0]: {'build_number': row[1], 'rebuilt_in': row[2], 'rules': row[3]}}) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if model.unique_id not in state -%}
        {{ return({'since': none, 'reasons': []}) }}
    {%- endif -%}
    {%- set own = state[model.unique_id] -%}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- set reasons = [] -%}
    {%- if strategy != 'difference' -%}
        {%- set before, now = fromjson(own.rules), leadlag.rules_of(model.unique_id) -%}
        {%- for name in now if now[name] != before.get(name) -%}
            {%- do reasons.append(name ~ ' has changed') -%}
        {%- endfor -%}
        {%- for name in before if name not in now -%}
            {%- do reasons.append(name ~ ' is gone') -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if strategy in ['changed_rows', 'whole_persons'] -%}
        {%- for id in leadlag.inputs_of(model.unique_id).tables if graph.nodes[id].config.materialized == 'incremental' -%}
            {%- if id not in state or state[id].rebuilt_in > own.build_number -%}
                {%- do reasons.append(graph.nodes[id].name ~ ' was made anew') -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return({'since': none if reasons else own.build_number, 'reasons': reasons}) }}
{% endmacro %}


{#- Post-hook of every table, in its transaction: what it now holds. -#}
{% macro note_build() %}
    {%- if leadlag.remembers_builds() and config.get('materialized') in ['table', 'incremental'] -%}
        {%- set state = leadlag.build_table('model_state') -%}
        {%- set read = [] -%}
        {%- for id in leadlag.inputs_of(model.unique_id).tables -%}
            {%- do read.append("'" ~ id ~ "'") -%}
        {%- endfor -%}
        {%- set build = leadlag.current_build() -%}
        {%- set holds = build if not read
            else 'least(' ~ build ~ ', (select min(build_number) from ' ~ state ~ ' where model in (' ~ read | join(', ') ~ ')))' -%}
        {%- set rules = '{}' if config.get('materialized') == 'table' else tojson(leadlag.rules_of(model.unique_id)) | replace("'", "''") -%}
        update {{ state }} set
            build_number = {{ holds }},
            rebuilt_in = case when increment_in = {{ build }} then rebuilt_in else {{ build }} end,
            rules = '{{ rules }}'
        where model = '{{ model.unique_id }}';
        insert into {{ state }}
        select '{{ model.unique_id }}', {{ holds }}, {{ build }}, cast(null as bigint), '{{ rules }}'
        where not exists (select 1 from {{ state }} where model = '{{ model.unique_id }}')
    {%- endif -%}
{% endmacro %}
