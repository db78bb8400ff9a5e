{{ config(materialized='ephemeral') }}

{%- set target = ['kpi', 'period_grain', 'cut_name', 'cut_value'] -%}
{%- set known_kpi = "(select kpi from " ~ ref('kpi') ~ ")" -%}
{%- set cuts = "('total', '" ~ leadlag.segment_attributes() | join("', '") ~ "')" %}

{{ leadlag.violation(
    'kpi_target', target + ['method'],
    "coalesce(method, '') not in ('fixed', 'trailing_percentile', 'global_percentile')
        or coalesce(period_grain, '') not in ('week', 'month', 'quarter') or coalesce(cut_value, '') = ''
        or coalesce(split_part(cut_name, ' x ', 1), '') not in " ~ cuts ~ "
        or kpi is null or (kpi <> '*' and kpi not in " ~ known_kpi ~ ")",
    'no such KPI, grain, cut or method, or no cut_value',
    'method: fixed, trailing_percentile or global_percentile; cut_name as in fct_kpi; cut_value: a value or *'
) }}
union all
{{ leadlag.violation(
    'kpi_target', target + ['target', 'threshold', 'unit'],
    "method = 'fixed' and (kpi = '*' or target is null or threshold is null or unit is null)",
    'a fixed target without KPI, target, threshold or unit', 'Name the KPI, and write target and threshold in its unit'
) }}
union all
select
    'seeds/policy/kpi_target.csv' as seed_file,
    target.kpi || ', ' || target.unit as policy_row,
    'the unit is not that of the KPI, or the threshold is the better of the two' as rule,
    'Write target and threshold in the unit of kpi.csv, the threshold as the worse one' as remedy
from {{ ref('kpi_target') }} as target
inner join {{ ref('kpi') }} as kpi on target.kpi = kpi.kpi
where
    target.method = 'fixed'
    and kpi.status <> 'draft'
    and (
        target.unit <> kpi.unit
        or (kpi.direction = 'higher' and target.threshold > target.target)
        or (kpi.direction = 'lower' and target.threshold < target.target)
    )
union all
{{ leadlag.violation(
    'kpi_target', target + ['target_percentile', 'threshold_percentile', 'trailing_periods', 'minimum_periods'],
    "method <> 'fixed' and (coalesce(target_percentile, -1) < 0 or target_percentile > 1 or coalesce(threshold_percentile, -1) < 0
        or threshold_percentile > target_percentile
        or coalesce(minimum_periods, 0) < 2 or coalesce(trailing_periods, 0) < minimum_periods)",
    'percentiles outside 0 to 1 or in the wrong order, or too few periods',
    'threshold_percentile no higher than target_percentile; minimum_periods 2 or more and no more than trailing_periods'
) }}
union all
{{ leadlag.violation(
    'kpi_target', target + ['valid_from', 'valid_to'], 'valid_from is null or valid_to <= valid_from',
    'the validity is empty or ends before it begins', 'Give valid_from, and a later valid_to or none'
) }}
union all
select
    'seeds/policy/kpi_target.csv' as seed_file,
    earlier.kpi || ', ' || earlier.period_grain || ', ' || earlier.cut_name || ', ' || earlier.cut_value as policy_row,
    'two targets are valid at the same time' as rule,
    'End the earlier one (valid_to) where the later one begins' as remedy
from {{ ref('kpi_target') }} as earlier
inner join {{ ref('kpi_target') }} as later
    on
        earlier.kpi = later.kpi
        and earlier.period_grain = later.period_grain
        and earlier.cut_name = later.cut_name
        and earlier.cut_value = later.cut_value
        and earlier.valid_from < later.valid_from
        and later.valid_from < coalesce(earlier.valid_to, cast('9999-12-31' as date))
union all
{{ leadlag.repeated_policy_row('kpi_target', target + ['valid_from']) }}
union all
{{ leadlag.violation(
    'capacity', ['kpi', 'cut_name', 'cut_value', 'valid_from', 'capacity_per_week'],
    "coalesce(kpi, '') not in " ~ known_kpi ~ "
        or cut_name is null or cut_value is null or valid_from is null or coalesce(capacity_per_week, 0) <= 0",
    'no such KPI, no cut, no valid_from, or a capacity that is not above 0', 'cut_name and cut_value as in fct_kpi'
) }}
union all
{{ leadlag.repeated_policy_row('capacity', ['kpi', 'cut_name', 'cut_value', 'valid_from']) }}
union all
{{ leadlag.violation(
    'kpi_benchmark', ['region', 'market_maturity', 'kpi', 'target_factor'],
    "region is null or coalesce(market_maturity, '') not in ('emerging', 'established') or coalesce(target_factor, 0) <= 0
        or kpi is null or (kpi <> '*' and kpi not in " ~ known_kpi ~ ") or (benchmark is not null and source is null)",
    'no region, an unknown market_maturity or KPI, a factor that is not above 0, or a benchmark without source',
    'market_maturity: emerging or established; kpi: one of kpi.csv or *'
) }}
union all
{{ leadlag.repeated_policy_row('kpi_benchmark', ['region', 'kpi']) }}
union all
select
    'seeds/policy/kpi_benchmark.csv' as seed_file,
    region as policy_row,
    'one region has two maturities' as rule,
    'Write the same market_maturity into all rows of a region' as remedy
from {{ ref('kpi_benchmark') }}
group by region
having min(market_maturity) <> max(market_maturity)
union all
{{ leadlag.violation(
    'kpi_scorecard', ['kpi', 'scorecard_weight', 'attainment_cap'],
    "coalesce(kpi, '') not in " ~ known_kpi ~ " or coalesce(scorecard_weight, 0) <= 0 or coalesce(attainment_cap, 0) < 1",
    'no such KPI, a weight that is not above 0, or an attainment_cap below 1', 'Write a KPI of kpi.csv'
) }}
union all
{{ leadlag.repeated_policy_row('kpi_scorecard', ['kpi']) }}
union all
select
    'seeds/policy/kpi_scorecard.csv' as seed_file,
    'all rows' as policy_row,
    'the weights do not sum to 1' as rule,
    'Correct the weights' as remedy
from {{ ref('kpi_scorecard') }}
having abs(sum(scorecard_weight) - 1) > 0.000001
