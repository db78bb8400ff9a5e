{#- The contract of an entity, read from the YAML of its int_input__<entity>_checked model: name -> type of every
    column that a connector delivers. Columns with meta `derived: true` are added by the check itself. -#}
{% macro contract_columns(entity) %}
    {%- set node = graph.nodes['model.leadlag.int_input__' ~ entity ~ '_checked'] -%}
    {%- set columns = {} -%}
    {%- for column in node.columns.values() if not column.config.get('meta', {}).get('derived') -%}
        {%- do columns.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}


{#- The relations that deliver an entity: the connectors that are on, then the consumer's own. -#}
{% macro contract_refs(entity) %}
    {%- set delivered = {
        'lead_record': ['salesforce', 'hubspot'],
        'status_event': ['salesforce', 'hubspot'],
        'opportunity': ['salesforce', 'hubspot'],
        'opportunity_stage_event': ['salesforce', 'hubspot'],
        'touchpoint': ['salesforce', 'hubspot', 'web', 'offline'],
        'activity': ['salesforce', 'hubspot'],
        'campaign': ['salesforce', 'hubspot', 'ads'],
        'spend': ['ads'],
        'rep': ['salesforce', 'hubspot'],
        'identity_link': ['salesforce', 'hubspot', 'web'],
        'product_event': ['product'],
        'account': ['salesforce', 'hubspot'],
    } -%}
    {%- set names = [] -%}
    {%- for connector in delivered[entity] if connector in var('connectors', []) -%}
        {%- do names.append('int_input__' ~ connector ~ '_' ~ entity) -%}
    {%- endfor -%}
    {{ return(names + var('contract_relations', {}).get(entity, [])) }}
{% endmacro %}


{#- All delivered rows of an entity in the types of the contract. A column that a relation lacks is a typed null;
    no relation at all is an empty one. -#}
{% macro unite(entity) %}
    {%- set names = leadlag.contract_refs(entity) -%}
    {%- for name in names %}{% do ref(name) %}{% endfor -%}
    {%- if not execute %}select 1{% else %}
    {%- set contract = leadlag.contract_columns(entity) -%}
    {%- for name in names %}
    select
        {%- set present = adapter.get_columns_in_relation(ref(name)) | map(attribute='name') | map('lower') | list %}
        {%- for column, type in contract.items() %}
        cast({{ column if column in present or not present else 'null' }} as {{ leadlag.column_type(type) }}) as {{ column }},
        {%- endfor %}
        {#- When it became knowable. A time in the future is no evidence: the loader's stamp bounds it. #}
        {%- set recorded = 'recorded_at' if 'recorded_at' in present or not present else 'null' %}
        {%- set loaded = 'loaded_at' if 'loaded_at' in present or not present else 'null' %}
        cast(least(coalesce({{ recorded }}, occurred_at, {{ loaded }}), coalesce({{ loaded }}, {{ recorded }}, occurred_at)) as timestamp) as known_at
    from {{ ref(name) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- else %}
    select
        {%- for column, type in contract.items() %}
        cast(null as {{ leadlag.column_type(type) }}) as {{ column }},
        {%- endfor %}
        cast(null as timestamp) as known_at
    where 1 = 0
    {%- endfor %}
    {%- endif %}
{% endmacro %}


{#- The united rows of an entity that were known by as_of, each with a digest of its content; not on Spark, which makes every
    table anew, and whose planner runs out of memory over the constraints that it infers from an expression of all columns. -#}
{% macro delivered(entity) -%}
    {%- set has_digest = execute and target.type != 'spark' %}
    select
        united.*,
        {{ leadlag.row_digest(leadlag.contract_columns(entity).keys()) if has_digest else 'cast(null as bigint)' }} as row_digest
    from ({{ leadlag.unite(entity) }}
    ) as united
    {%- if var('as_of', none) is not none %}
    where known_at <= cast('{{ var('as_of') }}' as timestamp) or known_at is null
    {%- endif %}
{%- endmacro %}


{#- Body of every int_input__<entity>_checked model: the united rows, each judged by the first rule of
    seeds/policy/quarantine_rule.csv that it breaks (null: accepted).
    key: columns that name a row. required: further columns without which it is unusable. texts: further columns whose
    length and encoding matter. rules: the entity's own [rule, column, condition], asked last. wide: so much text that
    reading it twice costs less memory than keeping it. personal: columns that go no further: an e-mail leaves as
    email_key, the rest not at all. parent: the entity by which a row is judged too. A call block adds CTEs that fill columns
    from others, each row once: they begin with versioned, and the last one, with all columns that are wanted, is called filled. -#}
{% macro checked_input(
    entity, key=['source_system', 'source_table', 'source_id'], required=[], texts=[], rules=[], timed=true, wide=false,
    personal=['email', 'full_name', 'phone'], parent=none
) %}
{%- set since = leadlag.increment().since if config.get('incremental_strategy') == 'changed_rows' else none -%}
{%- if since is not none -%}
    {%- do leadlag.find_touched_rows(entity, key, since, parent) -%}
{%- endif -%}
{%- set columns = leadlag.contract_columns(entity).keys() | list if execute else [] -%}
{%- set checks = [] -%}
{%- for column in key + required -%}
    {%- do checks.append(['missing_key', column, "coalesce(trim(" ~ column ~ "), '') = ''"]) -%}
{%- endfor -%}
{%- do checks.append(['duplicate_row', 'source_id', 'version_number > 1']) -%}
{%- if timed -%}
    {%- do checks.append(['unparseable_timestamp', 'occurred_at', "occurred_at is null and trim(occurred_at_raw) <> ''"]) -%}
    {%- do checks.append(['missing_timestamp', 'occurred_at', 'occurred_at is null']) -%}
    {%- set late = leadlag.seconds_between('coalesce(loaded_at, recorded_at)', 'occurred_at') -%}
    {%- do checks.append(['future_timestamp', 'occurred_at', late ~ ' > tolerance.future_hours * 3600']) -%}
{%- endif -%}
{%- for column in ['source_id'] + texts -%}
    {%- do checks.append(['text_too_long', column, 'length(' ~ column ~ ') > tolerance.text_characters']) -%}
    {%- do checks.append(['invalid_text', column, column ~ " like '%\ufffd%'"]) -%}
{%- endfor -%}
{%- set checks = checks + rules -%}
-- depends_on: {{ ref('int_policy__violation') }}
with tolerance as (

    select
        max(case when quarantine_rule = 'future_timestamp' then tolerance end) as future_hours,
        max(case when quarantine_rule = 'text_too_long' then tolerance end) as text_characters
    from {{ ref('quarantine_rule') }}

),

united as {{ 'not materialized ' if wide and since is none and target.type != 'spark' }}(

    {% if since is none -%}
    select
        delivered.*,
        {{ leadlag.key(key) }} as {{ entity }}_key
    from ({{ leadlag.delivered(entity) }}
    ) as delivered
    {%- else -%}
    select * from {{ leadlag.working_table('candidate') }}
    {%- endif %}

),

repeated_key as (

    select {{ entity }}_key
    from united
    group by {{ entity }}_key
    having count(*) > 1

),

-- Only keys that repeat are ordered. The version known first stays, so that later deliveries never change the past.
versioned as (

    select united.*, 1 as version_number
    from united
    left join repeated_key on united.{{ entity }}_key = repeated_key.{{ entity }}_key
    where repeated_key.{{ entity }}_key is null
    union all
    select
        united.*,
        row_number() over (
            partition by united.{{ entity }}_key
            order by united.known_at, united.loaded_at desc
                {%- for column in columns if column not in key + ['loaded_at'] %}, united.{{ column }}{% endfor %}
        ) as version_number
    from united
    inner join repeated_key on united.{{ entity }}_key = repeated_key.{{ entity }}_key

),

{{ caller() if caller }}

judged as (

    select
        versioned.*,
        {%- if 'email' in columns and 'email' in personal %}
        {{ leadlag.normalized_email('versioned.email') }} as email_address,
        {%- endif %}
        case
            {%- for rule, column, condition in checks %}
            when {{ condition }} then {{ loop.index }}
            {%- endfor %}
        end as broken_check
    from {{ 'filled as versioned' if caller else 'versioned' }}
    cross join tolerance

)

select
    {{ entity }}_key,
    {%- for column in columns if column not in ['occurred_at_raw', 'recorded_at', 'loaded_at', 'event_sequence'] + personal %}
    {{ column }},
    {%- endfor %}
    {%- if 'email' in columns and 'email' in personal %}
    {{ leadlag.address_key('email_address') }} as email_key,
    {%- endif %}
    {%- if 'record_source_id' in columns %}
    case when record_source_id is not null then {{ leadlag.key(['source_system', 'record_type', 'record_source_id']) }} end as lead_record_key,
    {%- endif %}
    {%- if 'opportunity_source_id' in columns and 'record_source_id' not in columns %}
    {{ leadlag.key(['source_system', 'opportunity_source_id']) }} as opportunity_key,
    {%- endif %}
    coalesce(recorded_at, occurred_at) as recorded_at,
    coalesce(event_sequence, 0) as event_sequence,
    known_at,
    row_digest,
    case when broken_check is not null then occurred_at_raw end as occurred_at_raw,
    case broken_check{% for check in checks %} when {{ loop.index }} then '{{ check[0] }}'{% endfor %} end as quarantine_rule,
    case broken_check{% for check in checks %} when {{ loop.index }} then '{{ check[1] }}'{% endfor %} end as quarantine_column
from judged
{% endmacro %}


{#- Body of every int_input__<entity> model: what the check accepted, known by as_of (or at a time nobody knows, which
    only entities without one are allowed). -#}
{% macro accepted_input(entity) %}
select checked.*
from {{ ref('int_input__' ~ entity ~ '_checked') }} as checked
-- One condition in a case: of plain comparisons DuckDB expects 40 rows of 8 million to pass, and joins accordingly.
inner join {{ ref('int_input__clock') }} as clock
    on case when checked.known_at > clock.as_of then false else checked.quarantine_rule is null end
{% endmacro %}
