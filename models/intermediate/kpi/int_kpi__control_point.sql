with period as (

    select
        fct_kpi.kpi_value_key,
        {{ leadlag.key([
            'fct_kpi.kpi', 'fct_kpi.version', 'fct_kpi.variant', 'fct_kpi.period_grain', 'fct_kpi.cut_name', 'fct_kpi.cut_value'
        ]) }} as series_key,
        fct_kpi.period_start,
        fct_kpi.next_period_start,
        fct_kpi.cut_value,
        fct_kpi.numerator,
        fct_kpi.denominator,
        fct_kpi.value,
        fct_kpi.volume,
        fct_kpi.is_reliable,
        fct_kpi.is_mature,
        policy.*
    from {{ ref('fct_kpi') }} as fct_kpi
    inner join {{ ref('int_kpi__control_policy') }} as policy
        on
            fct_kpi.kpi = policy.kpi
            and fct_kpi.version = policy.version
            and fct_kpi.variant = policy.variant
            and fct_kpi.cut_name = policy.cut_name
            and fct_kpi.period_grain = policy.period_grain

),

placed as (

    select
        period.*,
        count(case when not is_mature then 1 end) over (
            partition by series_key order by period_start rows between unbounded preceding and current row
        ) as immature_periods,
        count(case when volume > 0 then 1 end) over (
            partition by series_key order by period_start rows between unbounded preceding and 1 preceding
        ) as measured_before,
        {%- for attribute in ['region', 'product_line'] %}
        case
            when split_part(cut_name, ' x ', 1) = '{{ attribute }}' then split_part(cut_value, ' x ', 1)
            when split_part(cut_name, ' x ', 2) = '{{ attribute }}' then split_part(cut_value, ' x ', 2)
            else nullif(scope_{{ attribute }}, '*')
        end as {{ attribute }}{{ ',' if not loop.last }}
        {%- endfor %}
    from period

)

select
    kpi_value_key,
    series_key,
    kpi,
    version,
    variant,
    period_grain,
    period_start,
    next_period_start,
    cut_name,
    cut_value,
    region,
    product_line,
    statistic,
    numerator,
    denominator,
    value,
    volume,
    -- A count or sum is small because something happened, an average of few rows because of luck.
    value is not null and (is_reliable or statistic in ('count', 'sum')) as is_usable,
    chart_type,
    baseline_periods,
    minimum_periods,
    minimum_expected,
    effect_periods,
    nelson_rules
from placed
-- A period that matures after its successors would move limits that are frozen. In the first period, measuring may have begun midway.
where immature_periods = 0 and measured_before > 0
