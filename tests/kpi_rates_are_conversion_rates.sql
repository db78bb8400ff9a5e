-- A KPI that is the rate of one conversion definition says what conversion_rate says, in every period and cut that both have.
with definition as (

    select
        kpi,
        version,
        replace(numerator_measure, '.converted', '') as conversion_definition
    from {{ ref('dim_kpi') }}
    where statistic = 'rate' and numerator_measure like '%.converted' and denominator_measure like '%.entered'

),

-- Versions and scopes of a conversion definition are one measure.
rate as (

    select
        conversion_definition,
        period_grain,
        period_start,
        cut_name,
        cut_value,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from {{ ref('conversion_rate') }}
    group by conversion_definition, period_grain, period_start, cut_name, cut_value

)

select
    value.kpi,
    value.period_grain,
    value.period_start,
    value.cut_name,
    value.cut_value,
    value.numerator,
    value.denominator,
    rate.numerator as rate_numerator,
    rate.denominator as rate_denominator
from {{ ref('fct_kpi') }} as value
inner join definition on value.kpi = definition.kpi and value.version = definition.version
left join rate
    on
        definition.conversion_definition = rate.conversion_definition
        and value.period_grain = rate.period_grain
        and value.period_start = rate.period_start
        and value.cut_name = rate.cut_name
        and value.cut_value = rate.cut_value
where
    value.variant = 'global'
    and value.cut_name not like '% x %'
    and (value.numerator <> coalesce(rate.numerator, 0) or value.denominator <> coalesce(rate.denominator, 0))
