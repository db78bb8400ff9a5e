{#- Two casts: of a binary 13.05 engines make 13.0 or 13.1, of a decimal one all make 13.1. -#}
{%- set decimal = "cast(cast(cast({} as decimal(18, 6)) as decimal(18, 1)) as " ~ dbt.type_string() ~ ")" -%}
{%- set number = "case
            when rule.unit = 'share' then " ~ decimal.replace('{}', '100 * {}') ~ " || ' %'
            else " ~ decimal ~ "
        end" -%}

with finding as (

    {% for subject in ['volume', 'pause', 'share', 'lag'] %}
    select * from {{ ref('int_integrity__health_' ~ subject) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

-- Low volume is judged downwards, everything else upwards.
judged as (

    select
        finding.*,
        setting.severity,
        case when finding.health_rule like 'low%' then -1 else 1 end as direction
    from finding
    inner join {{ ref('int_integrity__health_setting') }} as setting
        on
            finding.entity = setting.entity
            and finding.source_system = setting.source_system
            and finding.source_table = setting.source_table
            and finding.health_rule = setting.health_rule
    where finding.observed is not null or finding.expected is not null

),

-- One wording a rule, that of its general row.
rule as (

    select
        health_rule,
        max(unit) as unit,
        max(meaning) as meaning,
        max(finding) as finding,
        max(remedy) as remedy
    from {{ ref('health_rule') }}
    group by health_rule

),

verdict as (

    select
        judged.*,
        case
            when expected is null or observed is null then 'not_judged'
            when severity = 'fail' and direction * observed > direction * fail_limit then 'fail'
            when direction * observed > direction * warn_limit then 'warn'
            else 'ok'
        end as verdict
    from judged

)

select
    {{ leadlag.key(['verdict.entity', 'verdict.source_system', 'verdict.source_table', 'verdict.health_rule']) }} as source_health_key,
    verdict.source_system,
    verdict.source_table,
    verdict.entity,
    verdict.health_rule,
    verdict.verdict,
    verdict.observed,
    verdict.expected,
    verdict.warn_limit,
    case when verdict.severity = 'fail' then verdict.fail_limit end as fail_limit,
    rule.unit,
    verdict.observed_from,
    verdict.observed_until,
    cast(verdict.recent_rows as bigint) as recent_rows,
    cast(verdict.history_rows as bigint) as history_rows,
    rule.meaning as rule_meaning,
    case
        when verdict.verdict = 'not_judged' then 'too few rows or too little history to judge'
        else
            verdict.source_system || ' ' || verdict.source_table || ' (' || verdict.entity || '): '
            || replace(replace(replace(replace(replace(rule.finding,
                '{observed}', {{ number.replace('{}', 'verdict.observed') }}),
                '{expected}', {{ number.replace('{}', 'verdict.expected') }}),
                '{limit}', {{ number.replace('{}', 'verdict.warn_limit') }}),
                '{from}', cast(verdict.observed_from as {{ dbt.type_string() }})),
                '{until}', cast(verdict.observed_until as {{ dbt.type_string() }}))
    end as finding,
    case when verdict.verdict in ('warn', 'fail') then rule.remedy end as remedy
from verdict
inner join rule on verdict.health_rule = rule.health_rule
