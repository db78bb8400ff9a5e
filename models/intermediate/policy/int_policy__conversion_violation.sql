{{ config(materialized='ephemeral') }}

{%- set definition = ['conversion_definition', 'version', 'scope_region', 'scope_product_line'] -%}
{%- set milestones = "('first_touch', 'first_sales_contact', 'inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won')" %}

{{ leadlag.violation(
    'conversion_definition', definition + ['from_milestone', 'to_milestone'],
    "coalesce(from_milestone, '') not in " ~ milestones ~ "
        or coalesce(to_milestone, '') not in " ~ milestones ~ " or from_milestone = to_milestone",
    'from_milestone or to_milestone is no milestone, or both are the same',
    'Write two of first_touch, first_sales_contact, inquiry, mql, sal, sql, opportunity, won'
) }}
union all
select
    'seeds/policy/conversion_definition.csv' as seed_file,
    definition.conversion_definition || ', ' || definition.version as policy_row,
    definition.to_milestone || ' does not come after ' || definition.from_milestone as rule,
    'Exchange the two milestones' as remedy
from {{ ref('conversion_definition') }} as definition
inner join {{ ref('stage') }} as from_stage on definition.from_milestone = from_stage.stage
inner join {{ ref('stage') }} as to_stage on definition.to_milestone = to_stage.stage
where to_stage.stage_order <= from_stage.stage_order
union all
{{ leadlag.violation(
    'conversion_definition', definition + ['basis', 'window_days'],
    "not ((basis = 'window' and coalesce(window_days, 0) > 0) or (basis = 'stage' and window_days is null))",
    'basis and window_days contradict each other',
    'basis window needs window_days of 1 or more; basis stage needs window_days empty'
) }}
union all
{{ leadlag.violation(
    'conversion_definition', definition + ['time_basis', 'recycled_policy', 'skipped_policy'],
    "coalesce(time_basis, '') not in ('exact', 'calendar_days')
        or coalesce(recycled_policy, '') not in ('every_journey', 'first_journey', 'last_journey')
        or coalesce(skipped_policy, '') not in ('impute', 'exclude')",
    'an unknown time_basis, recycled_policy or skipped_policy',
    'time_basis: exact or calendar_days; recycled_policy: every_journey, first_journey or last_journey; skipped_policy: impute or exclude'
) }}
union all
{{ leadlag.violation(
    'conversion_definition', definition + ['valid_from', 'valid_to'],
    'valid_from is null or valid_to <= valid_from',
    'the validity is empty or ends before it begins', 'Give valid_from, and a later valid_to or none'
) }}
union all
{{ leadlag.violation(
    'conversion_definition', definition + ['owner', 'minimum_volume'],
    "coalesce(trim(owner), '') = '' or coalesce(minimum_volume, 0) < 1",
    'no owner, or a minimum_volume below 1', 'Name the accountable role and the smallest denominator worth showing'
) }}
union all
{{ leadlag.violation(
    'conversion_definition', definition + ['maturity_days'],
    "maturity_days < 1 or (maturity_days is not null and basis = 'window')",
    'maturity_days is below 1, or given for a window', 'Leave it empty for a window: the window itself is the maturity'
) }}
union all
{{ leadlag.repeated_policy_row('conversion_definition', definition) }}
union all
select
    'seeds/policy/conversion_definition.csv' as seed_file,
    earlier.conversion_definition || ', versions ' || earlier.version || ' and ' || later.version as policy_row,
    'two versions are valid at the same time for the same scope' as rule,
    'End the earlier version (valid_to) where the later one begins' as remedy
from {{ ref('conversion_definition') }} as earlier
inner join {{ ref('conversion_definition') }} as later
    on
        earlier.conversion_definition = later.conversion_definition
        and earlier.scope_region = later.scope_region
        and earlier.scope_product_line = later.scope_product_line
        and earlier.version < later.version
where
    earlier.valid_from < coalesce(later.valid_to, cast('9999-12-31' as date))
    and later.valid_from < coalesce(earlier.valid_to, cast('9999-12-31' as date))
union all
select
    'seeds/policy/conversion_definition.csv' as seed_file,
    conversion_definition as policy_row,
    'rows of one definition have different recycled policies, so that nobody could say who is counted once' as rule,
    'Give the other policy a definition of its own' as remedy
from {{ ref('conversion_definition') }}
group by conversion_definition
having min(recycled_policy) <> max(recycled_policy)
union all
{{ leadlag.repeated_policy_row('channel_rule', ['rule_order']) }}
union all
{{ leadlag.violation(
    'currency_rate', ['currency_code', 'valid_from', 'rate_to_base'],
    'coalesce(rate_to_base, 0) <= 0 or valid_from is null or currency_code <> upper(currency_code)',
    'no positive rate, no valid_from, or a code that is not in upper case', 'Write the ISO 4217 code and a rate above 0'
) }}
union all
{{ leadlag.repeated_policy_row('currency_rate', ['currency_code', 'valid_from']) }}
union all
{{ leadlag.repeated_policy_row('lead_source_map', ['lower(trim(lead_source_raw))']) }}
