{{ config(materialized='ephemeral') }}

{%- set rule_row = ['version', 'score_rule', 'subject', 'kind', 'detail'] -%}
{%- set attributes = "('job_title', 'industry', 'employee_count', 'country', 'region', 'product_line', 'lead_source')" %}

{{ leadlag.violation(
    'lead_score_rule', rule_row,
    "version is null or valid_from is null or coalesce(trim(score_rule), '') = '' or detail is null or channel is null or page is null
        or coalesce(subject, '') not in ('touchpoint', 'activity', 'product_event', 'attribute') or coalesce(trim(kind), '') = ''",
    'no version, valid_from or score_rule, an unknown subject, or an empty pattern',
    'subject: touchpoint, activity, product_event or attribute; write * into kind, detail, channel and page for anything'
) }}
union all
{{ leadlag.violation(
    'lead_score_rule', rule_row + ['half_life_days'],
    "subject = 'attribute' and (kind not in " ~ attributes ~ "
        or channel not in ('*', 'record', 'account') or page <> '*' or half_life_days is not null)",
    'an unknown attribute or channel of it, or one with a page or half-life',
    'channel: *, record or account; attributes have no page and do not fade'
) }}
union all
{{ leadlag.violation(
    'lead_score_rule', rule_row + ['minimum', 'maximum'],
    "(minimum is not null or maximum is not null) and (subject <> 'attribute' or kind <> 'employee_count' or minimum > maximum)",
    'minimum or maximum of something that is no number, or the wrong way round', 'Give them for employee_count only, minimum first'
) }}
union all
{{ leadlag.violation(
    'lead_score_rule', rule_row + ['points', 'half_life_days', 'maximum_points'],
    "coalesce(points, 0) = 0 or half_life_days <= 0 or maximum_points <= 0 or abs(points) > maximum_points",
    'points of 0 or beyond maximum_points, or a half-life or limit that is not above 0',
    'Leave half_life_days or maximum_points empty for none'
) }}
union all
{{ leadlag.repeated_policy_row('lead_score_rule', rule_row + ['channel', 'page']) }}
union all
select
    'seeds/policy/lead_score_rule.csv' as seed_file,
    version || ', ' || score_rule as policy_row,
    'the rows of a rule differ in subject, points, half_life_days or maximum_points' as rule,
    'Give rows that differ another score_rule' as remedy
from {{ ref('lead_score_rule') }}
group by version, score_rule
having
    count(distinct subject) > 1
    or min(points) <> max(points)
    or min(coalesce(half_life_days, 0)) <> max(coalesce(half_life_days, 0))
    or min(coalesce(maximum_points, 0)) <> max(coalesce(maximum_points, 0))
union all
select
    'seeds/policy/lead_score_rule.csv' as seed_file,
    cast(min(version) as {{ dbt.type_string() }}) as policy_row,
    'a version has two days of valid_from, or two versions share one' as rule,
    'Give each version one valid_from of its own' as remedy
from (select distinct version, valid_from from {{ ref('lead_score_rule') }}) as version
having count(*) > count(distinct version) or count(*) > count(distinct valid_from)
union all
{{ leadlag.violation(
    'lead_score_feature', ['attribute', 'known_from'],
    "coalesce(attribute, '') not in " ~ attributes ~ " or coalesce(known_from, '') not in ('creation', 'later', 'unknown')",
    'an unknown attribute or known_from', 'known_from: creation, later or unknown'
) }}
union all
{{ leadlag.repeated_policy_row('lead_score_feature', ['attribute']) }}
union all
{{ leadlag.violation(
    'lead_score_threshold', ['score', 'conversion_definition'],
    "coalesce(score, '') not in ('rule', 'logistic', 'boosting') or conversion_definition is null or conversion_definition in (
        select conversion_definition from " ~ ref('conversion_definition') ~ "
        where basis <> 'window' or time_basis <> 'exact' or from_milestone <> 'mql'
    ) or conversion_definition <> (select min(conversion_definition) from " ~ ref('lead_score_threshold') ~ ")",
    'an unknown score, or a definition that is not of an exact window from MQL or not that of the other scores',
    'score: rule, logistic or boosting; one conversion_definition for all of them'
) }}
union all
{{ leadlag.violation(
    'lead_score_threshold', ['score', 'minimum_outcomes', 'cut_step', 'current_cut', 'compared_cut', 'handling_cost'],
    "coalesce(minimum_outcomes, 0) < 1 or coalesce(cut_step, 0) <= 0 or handling_cost is null or handling_cost < 0
        or current_cut is null or compared_cut is null or current_cut >= compared_cut",
    'minimum_outcomes or cut_step not above 0, no handling_cost, or compared_cut not above current_cut', 'Fill it in'
) }}
union all
{{ leadlag.repeated_policy_row('lead_score_threshold', ['score']) }}
