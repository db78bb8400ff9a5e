with value as (

    select
        fct_kpi.*,
        lag(fct_kpi.value) over series as previous_value,
        lag(fct_kpi.next_period_start) over series as previous_period_end
    from {{ ref('fct_kpi') }} as fct_kpi
    where fct_kpi.cut_name = 'total' and fct_kpi.variant = 'global' and fct_kpi.period_grain in ('month', 'quarter')
    window series as (partition by fct_kpi.kpi, fct_kpi.version, fct_kpi.period_grain order by fct_kpi.period_start)

),

attained as (

    select
        value.*,
        dim_kpi.kpi_name,
        dim_kpi.perspective,
        dim_kpi.unit,
        dim_kpi.direction,
        dim_kpi.accountable,
        {{ leadlag.double('scorecard.scorecard_weight') }} as scorecard_weight,
        {{ leadlag.double('scorecard.attainment_cap') }} as attainment_cap,
        case
            when value.status in ('no_target', 'not_judged') then null
            when dim_kpi.direction = 'higher' then value.value / nullif(value.target, 0)
            else value.target / nullif(value.value, 0)
        end as attainment
    from value
    inner join {{ ref('kpi_scorecard') }} as scorecard on value.kpi = scorecard.kpi
    inner join {{ ref('dim_kpi') }} as dim_kpi on value.kpi = dim_kpi.kpi and value.version = dim_kpi.version

),

weighed as (

    select
        attained.*,
        case when attainment is not null then scorecard_weight end as weight_judged,
        case when attainment is not null then scorecard_weight * least(attainment, attainment_cap) end as weight_earned
    from attained

),

summed as (

    select
        weighed.*,
        sum(weight_earned) over period as earned,
        sum(weight_judged) over period as judged_weight,
        sum(weight_earned) over perspective as perspective_earned,
        sum(weight_judged) over perspective as perspective_weight
    from weighed
    window
        period as (partition by period_grain, period_start),
        perspective as (partition by period_grain, period_start, perspective)

)

select
    period_grain,
    period_start,
    perspective,
    kpi,
    version,
    kpi_name,
    unit,
    direction,
    accountable,
    value,
    value_low,
    value_high,
    case when previous_period_end = period_start then previous_value end as previous_value,
    target,
    threshold,
    status,
    attainment,
    scorecard_weight,
    perspective_earned / nullif(perspective_weight, 0) as perspective_score,
    earned / nullif(judged_weight, 0) as scorecard_score,
    judged_weight
from summed
