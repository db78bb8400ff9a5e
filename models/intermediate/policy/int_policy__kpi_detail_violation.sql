{{ config(materialized='ephemeral') }}

{%- set variant = ['kpi', 'version', 'variant', 'region', 'product_line'] -%}
{%- set known_measures = "(select measure from " ~ ref('kpi_measure') ~ ")" %}

{{ leadlag.violation(
    'kpi_measure', ['measure', 'subject', 'unit', 'has_segments'],
    "measure is null or coalesce(subject, '') not in ('journey', 'opportunity', 'spend')
        or coalesce(trim(unit), '') = '' or has_segments is null",
    'measure, subject, unit or has_segments is missing or unknown', 'subject: journey, opportunity or spend'
) }}
union all
{{ leadlag.repeated_policy_row('kpi_measure', ['measure']) }}
union all
select
    'seeds/policy/kpi_variant.csv' as seed_file,
    variant.kpi || ', ' || variant.version || ', ' || coalesce(variant.variant, '(empty)') as policy_row,
    'a variant of a definition that does not exist or is a product' as rule,
    'Write kpi and version as in kpi.csv' as remedy
from {{ ref('kpi_variant') }} as variant
left join {{ ref('kpi') }} as kpi on variant.kpi = kpi.kpi and variant.version = kpi.version
where kpi.kpi is null or kpi.statistic = 'product'
union all
{{ leadlag.violation(
    'kpi_variant', variant + ['reason', 'owner'],
    "coalesce(trim(variant), '') in ('', 'global') or region is null or product_line is null or (region = '*' and product_line = '*')
        or coalesce(trim(reason), '') = '' or coalesce(trim(owner), '') = ''",
    'no variant name, no scope, no reason or no owner',
    'Name the variant, its region or product_line (* for all), why it differs and who keeps it'
) }}
union all
{{ leadlag.violation(
    'kpi_variant', variant + ['numerator_measure', 'denominator_measure'],
    "(coalesce(numerator_measure, '') not in " ~ known_measures ~ " and coalesce(numerator_measure, '') not like '%.converted')
        or (denominator_measure not in " ~ known_measures ~ " and denominator_measure not like '%.entered')",
    'a measure is unknown',
    'Write a measure of kpi_measure.csv; or a conversion definition followed by .converted as numerator and .entered as denominator'
) }}
union all
{{ leadlag.violation(
    'kpi_variant', variant + ['valid_from', 'valid_to'], 'valid_from is null or valid_to <= valid_from',
    'the validity is empty or ends before it begins', 'Give valid_from, and a later valid_to or none'
) }}
union all
{{ leadlag.repeated_policy_row('kpi_variant', ['kpi', 'version', 'variant']) }}
union all
select
    'seeds/policy/kpi_component.csv' as seed_file,
    component.kpi || ', ' || component.version || ', ' || coalesce(component.component_kpi, '(empty)') as policy_row,
    'a component of no product, an unknown component, or an exponent other than 1 and -1' as rule,
    'kpi and version: a product of kpi.csv; component_kpi: a KPI that is none; exponent: 1 or -1' as remedy
from {{ ref('kpi_component') }} as component
left join {{ ref('kpi') }} as kpi on component.kpi = kpi.kpi and component.version = kpi.version
where
    coalesce(kpi.statistic <> 'product', true)
    or coalesce(component.component_kpi, '') not in (select factor.kpi from {{ ref('kpi') }} as factor where factor.statistic <> 'product')
    or coalesce(component.exponent, 0) not in (1, -1)
union all
{{ leadlag.repeated_policy_row('kpi_component', ['kpi', 'version', 'component_kpi']) }}
union all
select
    'seeds/policy/kpi.csv' as seed_file,
    kpi.kpi || ', ' || kpi.version as policy_row,
    'a product of fewer than two components' as rule,
    'Write its components into kpi_component.csv' as remedy
from {{ ref('kpi') }} as kpi
left join {{ ref('kpi_component') }} as component on kpi.kpi = component.kpi and kpi.version = component.version
where kpi.statistic = 'product'
group by kpi.kpi, kpi.version
having count(component.component_kpi) < 2
union all
{{ leadlag.violation(
    'kpi_weight', ['weight_scheme', 'region', 'product_line', 'weight'],
    "coalesce(trim(weight_scheme), '') = '' or region is null or product_line is null or coalesce(weight, 0) <= 0",
    'no scheme, no scope, or a weight that is not above 0', 'Write * for all regions or product lines, and a weight above 0'
) }}
union all
{{ leadlag.repeated_policy_row('kpi_weight', ['weight_scheme', 'region', 'product_line']) }}
union all
{{ leadlag.violation(
    'margin', ['product_line', 'valid_from', 'cost_of_goods_share'],
    'product_line is null or valid_from is null or cost_of_goods_share is null or cost_of_goods_share < 0 or cost_of_goods_share > 1',
    'no product_line, no valid_from, or a cost of goods outside 0 to 1',
    'Write * for all product lines, and the share of revenue that goods cost'
) }}
union all
{{ leadlag.repeated_policy_row('margin', ['product_line', 'valid_from']) }}
union all
{{ leadlag.violation(
    'kpi_balance', ['volume_kpi', 'rate_kpi'],
    "coalesce(volume_kpi, '') not in (select kpi from " ~ ref('kpi') ~ " where statistic = 'count')
        or coalesce(rate_kpi, '') not in (select kpi from " ~ ref('kpi') ~ " where statistic = 'rate')",
    'volume_kpi is no count, or rate_kpi no rate', 'Write a count and a rate of kpi.csv'
) }}
union all
{{ leadlag.repeated_policy_row('kpi_balance', ['volume_kpi', 'rate_kpi']) }}
