{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

with deviation as (

    select
        *,
        actual - expected as deviation,
        (actual - expected) / nullif(expected, 0) as deviation_share,
        case when actual < expected then 'below' when actual > expected then 'above' end as direction,
        case
            when actual < low_95 or actual > high_95 then 95
            when actual < low_80 or actual > high_80 then 80
            when low_80 is not null then 0
        end as outside_interval
    from {{ ref('int_input__deviation') }}

),

escalated as (

    select
        deviation.measure,
        deviation.cut_name,
        deviation.cut_value,
        deviation.period_grain,
        rule.escalation_level,
        rule.owner,
        rule.action,
        row_number() over (
            partition by deviation.measure, deviation.cut_name, deviation.cut_value, deviation.period_grain
            order by rule.escalation_level desc, rule.measure desc
        ) as rule_rank
    from deviation
    inner join {{ ref('forecast_escalation_rule') }} as rule
        on
            (rule.measure = '*' or deviation.measure = rule.measure)
            and deviation.period_grain = rule.period_grain
            and deviation.cut_name = rule.cut_name
            and deviation.direction = rule.direction
            and deviation.outside_interval >= rule.outside_interval
            and abs(coalesce(deviation.deviation_share, 1)) >= rule.minimum_share

)

select
    deviation.as_of,
    deviation.model_version,
    deviation.measure,
    deviation.cut_name,
    deviation.cut_value,
    deviation.period_grain,
    deviation.period_start,
    deviation.elapsed_days,
    deviation.expected,
    deviation.actual,
    deviation.deviation,
    deviation.deviation_share,
    deviation.low_80,
    deviation.high_80,
    deviation.low_95,
    deviation.high_95,
    cast(deviation.outside_interval as integer) as outside_interval,
    cast(case when deviation.outside_interval is not null then coalesce(escalated.escalation_level, 0) end as integer) as escalation_level,
    escalated.owner,
    escalated.action,
    case
        when deviation.outside_interval is null then 'too few forecasts were over when the period began: no interval'
        else deviation.reason
    end as reason
from deviation
left join escalated
    on
        deviation.measure = escalated.measure
        and deviation.cut_name = escalated.cut_name
        and deviation.cut_value = escalated.cut_value
        and deviation.period_grain = escalated.period_grain
        and escalated.rule_rank = 1
