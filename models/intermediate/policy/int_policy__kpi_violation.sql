{{ config(materialized='ephemeral') }}

{%- set version = ['kpi', 'version'] -%}
{%- set attributes = leadlag.segment_attributes() -%}
{%- set attribute_list = "('" ~ attributes | join("', '") ~ "')" -%}
{#- A KPI of a conversion definition that a company does not have is not computed, and dim_kpi says so. -#}
{%- set known_measures = "(select measure from " ~ ref('kpi_measure') ~ ")" -%}
{%- set known_kpi = "kpi not in (select kpi from " ~ ref('kpi') ~ ")" %}

{{ leadlag.violation(
    'kpi', version + ['perspective', 'statistic', 'direction', 'indicator_type', 'status'],
    "coalesce(perspective, '') not in ('financial', 'customer', 'internal_process', 'learning_and_growth')
        or coalesce(statistic, '') not in ('count', 'sum', 'mean', 'rate', 'ratio', 'product')
        or coalesce(direction, '') not in ('higher', 'lower') or coalesce(indicator_type, '') not in ('lead', 'lag')
        or coalesce(status, '') not in ('draft', 'active', 'retired')",
    'an unknown perspective, statistic, direction, indicator_type or status', 'The documentation of seed kpi lists the words'
) }}
union all
{{ leadlag.violation(
    'kpi', version + ['kpi_name', 'unit', 'owner', 'review_date', 'minimum_volume'],
    "coalesce(trim(kpi_name), '') = '' or coalesce(trim(question), '') = ''
        or coalesce(trim(formula), '') = '' or coalesce(trim(unit), '') = '' or coalesce(trim(owner), '') = ''
        or minimum_volume is null or minimum_volume < 1 or (status = 'active' and review_date is null)",
    'kpi_name, question, formula, unit, owner, review_date or minimum_volume (1 or more) is missing', 'Fill it in'
) }}
union all
{{ leadlag.violation(
    'kpi', version + ['statistic', 'numerator_measure', 'denominator_measure'],
    "(statistic = 'product') <> (numerator_measure is null)
        or coalesce(statistic in ('rate', 'ratio'), false) <> (denominator_measure is not null)",
    'the measures do not suit the statistic',
    'rate and ratio take both measures, count, sum and mean a numerator_measure only, product none'
) }}
union all
{{ leadlag.violation(
    'kpi', version + ['numerator_measure', 'denominator_measure'],
    "(numerator_measure not in " ~ known_measures ~ " and numerator_measure not like '%.converted')
        or (denominator_measure not in " ~ known_measures ~ " and denominator_measure not like '%.entered')",
    'a measure is unknown',
    'Write a measure of kpi_measure.csv; or a conversion definition followed by .converted as numerator and .entered as denominator'
) }}
union all
{{ leadlag.violation(
    'kpi', version + ['status', 'successor', 'valid_to'],
    "status = 'retired' and (valid_to is null or successor is null
        or (successor <> 'none' and successor not in (select kpi from " ~ ref('kpi') ~ " where status <> 'retired')))",
    'a retired KPI has no valid_to, or no decision about its successor', 'Give the day it ends, and a KPI in use or none as successor'
) }}
union all
{{ leadlag.violation(
    'kpi', version + ['valid_from', 'valid_to'], 'valid_from is null or valid_to <= valid_from',
    'the validity is empty or ends before it begins', 'Give valid_from, and a later valid_to or none'
) }}
union all
{{ leadlag.repeated_policy_row('kpi', version) }}
union all
select
    'seeds/policy/kpi.csv' as seed_file,
    earlier.kpi || ', versions ' || earlier.version || ' and ' || later.version as policy_row,
    'two versions of one KPI are in force at the same time' as rule,
    'End the earlier version (valid_to) where the later one begins, or make one of them a draft' as remedy
from {{ ref('kpi') }} as earlier
inner join {{ ref('kpi') }} as later on earlier.kpi = later.kpi and earlier.version < later.version
where
    earlier.status <> 'draft'
    and later.status <> 'draft'
    and earlier.valid_from < coalesce(later.valid_to, cast('9999-12-31' as date))
    and later.valid_from < coalesce(earlier.valid_to, cast('9999-12-31' as date))
union all
{{ leadlag.violation(
    'kpi', version + ['weight_scheme'],
    "weight_scheme not in (select weight_scheme from " ~ ref('kpi_weight') ~ ")",
    'the weight scheme has no rows', 'Write a weight_scheme of kpi_weight.csv or leave it empty'
) }}
union all
select
    'seeds/policy/kpi_raci.csv' as seed_file,
    kpi.kpi as policy_row,
    count(raci.role) || ' roles are accountable' as rule,
    'Name exactly one accountable role' as remedy
from (select distinct kpi from {{ ref('kpi') }} where status <> 'retired') as kpi
left join {{ ref('kpi_raci') }} as raci on raci.kpi in ('*', kpi.kpi) and raci.responsibility = 'accountable'
group by kpi.kpi
having count(raci.role) <> 1
union all
{{ leadlag.violation(
    'kpi_raci', ['kpi', 'role', 'responsibility'],
    "coalesce(trim(role), '') = '' or coalesce(responsibility, '') not in ('accountable', 'responsible', 'consulted', 'informed')
        or (kpi <> '*' and " ~ known_kpi ~ ")",
    'no role, an unknown responsibility, or no such KPI', 'responsibility: accountable, responsible, consulted or informed'
) }}
union all
{{ leadlag.repeated_policy_row('kpi_raci', ['kpi', 'role', 'responsibility']) }}
union all
{{ leadlag.violation(
    'kpi_cut', ['kpi', 'cut', 'second_cut', 'finest_grain'],
    "coalesce(cut, '') not in " ~ attribute_list ~ " or second_cut not in " ~ attribute_list ~ " or second_cut = cut
        or coalesce(finest_grain, '') not in ('week', 'month', 'quarter') or (kpi <> '*' and " ~ known_kpi ~ ")",
    'an unknown or repeated attribute, an unknown finest_grain, or no such KPI',
    'cut, second_cut: ' ~ attributes | join(', ') ~ '; finest_grain: week, month or quarter'
) }}
union all
{{ leadlag.repeated_policy_row('kpi_cut', ['kpi', 'cut', 'second_cut']) }}
