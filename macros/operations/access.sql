{#- Who may read which marts. The configuration is meta `readers` of each mart (dbt_project.yml): role -> which rows.
      all      every row
      region   rows whose column region is one of the reader's regions (seeds/policy/access_principal.csv)
      journey  rows of journeys of these regions
      cut      aggregates cut by region, of these regions
    PostgreSQL enforces it with grants and row-level security, DuckDB by one file per audience. -#}

{% macro access_roles() %}
    {{ return(['leadlag_analyst', 'leadlag_region', 'leadlag_pii']) }}
{% endmacro %}


{#- The condition of a rule; `regions` and `journeys` are queries for what the reader may see. -#}
{% macro visible_rows(rule, regions, journeys) %}
    {%- set conditions = {
        'all': 'true',
        'region': 'region in (' ~ regions ~ ')',
        'journey': 'journey_key in (' ~ journeys ~ ')',
        'cut': "cut_name = 'region' and cut_value in (" ~ regions ~ ')',
    } -%}
    {{ return(conditions[rule]) }}
{% endmacro %}


{#- Readers of a mart as its meta has them, checked. -#}
{% macro readers_of(node) %}
    {%- set readers = node.config.get('meta', {}).get('readers', {}) -%}
    {%- for role, rule in readers.items() if role not in leadlag.access_roles() or rule not in ['all', 'region', 'journey', 'cut'] -%}
        {{ exceptions.raise_compiler_error("meta readers of " ~ node.name ~ ": " ~ role ~ ": " ~ rule ~ " is unknown; roles are "
            ~ leadlag.access_roles() | join(', ') ~ ", rows all, region, journey or cut") }}
    {%- endfor -%}
    {{ return(readers) }}
{% endmacro %}


{% macro access_is_on() %}
    {{ return(target.type == 'postgres' and var('access_control', false)) }}
{% endmacro %}


{#- Post-hook of every mart, in the transaction that replaces the table: nobody ever sees it unprotected. -#}
{% macro protect_mart() %}
    {%- set readers = leadlag.readers_of(model) if execute else {} -%}
    {%- if execute and leadlag.access_is_on() -%}
    {#- `leadlag publish` builds in a schema of its own and moves the tables; the functions are where they will be read. -#}
    {%- set published = target.schema[:-8] if target.schema.endswith('_pending') else target.schema -%}
    {%- set policy_schema = published ~ '_policy' -%}
    {%- set by_row = readers.values() | reject('equalto', 'all') | list -%}
    {%- if by_row and model.config.materialized == 'view' -%}
        {{ exceptions.raise_compiler_error("meta readers of " ~ model.name ~ ": rows of a view cannot be kept apart; make it a table") }}
    {%- endif -%}
    {#- A mart that is brought up to date has the protection of the build before, which may have had other readers. -#}
    {%- for role in leadlag.access_roles() if model.config.materialized == 'incremental' %}
    revoke all on {{ this }} from {{ role }};
    drop policy if exists {{ role }} on {{ this }};
    {%- endfor -%}
    {%- if model.config.materialized != 'view' %}
    alter table {{ this }} {{ 'enable' if by_row else 'disable' }} row level security;
    {%- endif -%}
    {%- for role, rule in readers.items() %}
    grant select on {{ this }} to {{ role }};
    {%- if by_row %}
    create policy {{ role }} on {{ this }} for select to {{ role }} using ({{ leadlag.visible_rows(
        rule, 'select ' ~ policy_schema ~ '.own_regions()', 'select ' ~ policy_schema ~ '.own_journeys()'
    ) }});
    {%- endif -%}
    {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{#- dbt run-operation create_access: roles, schemas and what the row-level policies ask, once, by an administrator. Safe to
    repeat. Logins are the administrator's: create role anna login in role leadlag_region. The login that builds takes its
    role with every session (alter role pipeline set role leadlag_build): the profile's setting role is lost by a rollback. -#}
{% macro create_access() %}
    {%- if target.type != 'postgres' -%}
        {{ exceptions.raise_compiler_error("create_access: " ~ target.type ~ " has no roles to create; on DuckDB use the operation "
            ~ "export_audience, on Spark protect the files and the metastore themselves") }}
    {%- endif -%}
    {%- set schemas = [target.schema] -%}
    {%- for part in ['staging', 'intermediate', 'policy', 'snapshots', 'audit', 'build', 'export', 'marts'] -%}
        {%- do schemas.append(target.schema ~ '_' ~ part) -%}
    {%- endfor -%}
    {%- set sources = graph.sources.values() | map(attribute='schema') | unique | list -%}
    {%- set marts, policy = target.schema ~ '_marts', target.schema ~ '_policy' -%}
    {%- call statement('create_access', auto_begin=false) %}
    begin;
    set local check_function_bodies = off;
    {%- for role in ['leadlag_build'] + leadlag.access_roles() %}
    do $$ begin create role {{ role }} nologin; exception when duplicate_object then null; end $$;
    {%- endfor %}
    grant create, connect on database {{ adapter.quote(target.dbname) }} to leadlag_build;
    {%- for schema in schemas %}
    create schema if not exists {{ schema }};
    alter schema {{ schema }} owner to leadlag_build;
    revoke all on schema {{ schema }} from public, {{ leadlag.access_roles() | join(', ') }};
    {%- endfor %}
    -- What was built before there were roles.
    do $$
    declare relation record;
    begin
        for relation in
            select format('%I.%I', nspname, relname) as name, relkind
            from pg_class
            inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
            where nspname in ('{{ schemas | join("', '") }}') and relkind in ('r', 'v', 'm', 'p')
        loop
            execute 'alter ' || case relation.relkind when 'v' then 'view ' when 'm' then 'materialized view ' else 'table ' end
                || relation.name || ' owner to leadlag_build';
        end loop;
    end $$;
    do $$
    declare source text;
    begin
        foreach source in array array['{{ sources | join("', '") }}']
        loop
            if to_regnamespace(source) is not null then
                execute format('grant usage on schema %I to leadlag_build', source);
                execute format('grant select on all tables in schema %I to leadlag_build', source);
            end if;
        end loop;
    end $$;
    grant usage on schema {{ marts }} to {{ leadlag.access_roles() | join(', ') }};
    grant usage on schema {{ policy }} to leadlag_region;
    -- By the login, which no `set role` changes. Definer functions, because a reader may read neither table as a whole;
    -- and a policy that named the tables would be dropped with the first of them that is built anew.
    create or replace function {{ policy }}.own_regions() returns setof text
    language sql stable security definer set search_path = '' as
    $$ select region from {{ policy }}.access_principal where principal = session_user $$;
    create or replace function {{ policy }}.own_journeys() returns setof bigint
    language sql stable security definer set search_path = '' as
    $$ select journey_key from {{ marts }}.fct_journey where region in (select {{ policy }}.own_regions()) $$;
    {%- for function in ['own_regions', 'own_journeys'] %}
    alter function {{ policy }}.{{ function }}() owner to leadlag_build;
    revoke all on function {{ policy }}.{{ function }}() from public;
    grant execute on function {{ policy }}.{{ function }}() to leadlag_region;
    {%- endfor %}
    commit;
    {%- endcall %}
    {{ log("access: roles leadlag_build, " ~ leadlag.access_roles() | join(', ') ~ ". Next: create role <login> login in role leadlag_build; "
        ~ "alter role <login> set role leadlag_build; and build as this login with var access_control: true", info=true) }}
{% endmacro %}


{#- dbt run-operation export_audience --args '{role: leadlag_region, regions: [EMEA], path: emea.duckdb}': what a role may read
    as a DuckDB file of its own, since DuckDB has no users. -#}
{% macro export_audience(role, path, regions=[]) %}
    {%- set text = "export_audience: " -%}
    {%- if target.type != 'duckdb' -%}
        {{ exceptions.raise_compiler_error(text ~ "only on DuckDB; " ~ target.type ~ " has roles of its own") }}
    {%- elif role not in leadlag.access_roles() -%}
        {{ exceptions.raise_compiler_error(text ~ "role '" ~ role ~ "' is none of " ~ leadlag.access_roles() | join(', ')) }}
    {%- elif role == 'leadlag_region' and not regions -%}
        {{ exceptions.raise_compiler_error(text ~ "role leadlag_region needs regions, e.g. regions: [EMEA]") }}
    {%- elif run_query("select count(*) from glob('" ~ path ~ "')").rows[0][0] > 0 -%}
        {{ exceptions.raise_compiler_error(text ~ "'" ~ path ~ "' exists; remove it or name another file") }}
    {%- endif -%}
    {%- set quoted = [] -%}
    {%- for region in regions %}{% do quoted.append("('" ~ region | replace("'", "''") ~ "')") %}{% endfor -%}
    {%- set wanted = "values " ~ quoted | join(', ') -%}
    {%- set names = [] -%}
    {%- set marts = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | selectattr('package_name', 'equalto', 'leadlag') -%}
    {%- do run_query("attach '" ~ path ~ "' as audience") -%}
    {%- for node in marts | sort(attribute='name') if role in leadlag.readers_of(node) -%}
        {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
        {%- set journeys = "select journey_key from " ~ relation.incorporate(path={'identifier': 'fct_journey'}) ~ " where region in (" ~ wanted ~ ")" -%}
        {%- do run_query("create table audience." ~ node.alias ~ " as select * from " ~ relation ~ " where "
            ~ leadlag.visible_rows(leadlag.readers_of(node)[role], wanted, journeys)) -%}
        {%- do names.append(node.alias) -%}
    {%- endfor -%}
    {%- do run_query("detach audience") -%}
    {{ log("audience " ~ role ~ (" of " ~ regions | join(', ') if regions else "") ~ ": " ~ names | join(', ') ~ " in " ~ path, info=true) }}
{% endmacro %}
