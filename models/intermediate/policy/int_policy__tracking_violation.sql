{{ config(materialized='ephemeral') }}

{{ leadlag.violation(
    'utm_taxonomy', ['utm_medium', 'utm_source', 'utm_campaign', 'owner'],
    "coalesce(utm_medium, '') = '' or utm_medium <> lower(trim(utm_medium)) or utm_source is null or utm_campaign is null or owner is null",
    'a cell is empty, or the medium is not in lower case', 'Write the medium in lower case, two patterns and an owner'
) }}
union all
{{ leadlag.repeated_policy_row('utm_taxonomy', ['utm_medium']) }}
union all
select
    'seeds/policy/utm_taxonomy.csv' as seed_file,
    '*' as policy_row,
    'no row says what counts for an unknown medium' as rule,
    'Add a row of utm_medium *' as remedy
from {{ ref('utm_taxonomy') }}
having sum(case when utm_medium = '*' then 1 else 0 end) = 0
union all
{{ leadlag.violation(
    'utm_alias', ['parameter', 'alias', 'standard'],
    "coalesce(parameter, '') not in ('utm_source', 'utm_medium', 'utm_campaign') or coalesce(alias, '') = ''
        or alias <> lower(trim(alias)) or coalesce(standard, '') = '' or alias = standard",
    'an unknown parameter, an alias that is not in lower case, or no other standard value',
    'parameter: utm_source, utm_medium or utm_campaign; alias in lower case; standard: what it means'
) }}
union all
{{ leadlag.violation(
    'utm_alias', ['parameter', 'alias', 'standard'],
    "exists (
            select 1 from " ~ ref('utm_alias') ~ " as other
            where other.parameter = utm_alias.parameter and other.alias = utm_alias.standard
        ) or (parameter = 'utm_medium' and (
            standard not in (select utm_medium from " ~ ref('utm_taxonomy') ~ ")
            or alias in (select utm_medium from " ~ ref('utm_taxonomy') ~ ")
        ))",
    'the standard value is an alias itself, or a medium that utm_taxonomy lacks; or the alias is a medium of utm_taxonomy',
    'Let aliases name values that utm_taxonomy allows'
) }}
union all
{{ leadlag.repeated_policy_row('utm_alias', ['parameter', 'alias']) }}
union all
{{ leadlag.violation(
    'traffic_rule', ['rule_order', 'user_agent', 'page_host', 'referrer_domain', 'traffic'],
    "rule_order is null or coalesce(traffic, '') not in ('bot', 'internal', 'person')
        or (user_agent = '*' and page_host = '*' and referrer_domain = '*')",
    'no rule_order, an unknown traffic, or a row that matches every touchpoint',
    'traffic: bot, internal or person; name a user agent, host or referrer'
) }}
union all
{{ leadlag.repeated_policy_row('traffic_rule', ['rule_order']) }}
