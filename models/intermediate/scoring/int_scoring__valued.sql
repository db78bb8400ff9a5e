{{ config(materialized='view') }}

-- What a handoff brought, less what it cost; the span of the handoffs; the limit of those who work them.
with span as (

    select
        conversion_definition,
        {{ leadlag.double(leadlag.days_between('min(quarter_start)', 'max(entered_date)') ~ ' + 1') }} / 7 as weeks
    from {{ ref('int_scoring__judged') }}
    where is_compared
    group by conversion_definition

),

capacity as (

    select
        capacity.kpi,
        capacity.capacity_per_week
    from {{ ref('int_kpi__capacity') }} as capacity
    inner join {{ ref('int_input__clock') }} as clock
        on
            capacity.valid_from <= clock.as_of_date
            and (capacity.valid_to > clock.as_of_date or capacity.valid_to is null)
    where capacity.cut_name = 'total'

)

select
    judged.score,
    judged.conversion_definition,
    judged.journey_key,
    judged.value,
    judged.is_converted,
    judged.is_won,
    judged.is_open,
    {{ leadlag.double('judged.gross_margin') }} as gross_margin,
    {{ leadlag.double('judged.gross_margin') }} - {{ leadlag.double('policy.handling_cost') }} as net_margin,
    avg(power({{ leadlag.double('judged.gross_margin') }} - {{ leadlag.double('policy.handling_cost') }}, 2)) over (
        partition by judged.score, judged.conversion_definition
    ) as mean_square,
    {{ leadlag.double('policy.cut_step') }} as cut_step,
    {{ leadlag.double('policy.current_cut') }} as current_cut,
    {{ leadlag.double('policy.compared_cut') }} as compared_cut,
    policy.minimum_outcomes,
    span.weeks,
    {{ leadlag.double('capacity.capacity_per_week') }} as capacity_per_week
from {{ ref('int_scoring__judged') }} as judged
inner join {{ ref('lead_score_threshold') }} as policy on judged.score = policy.score
inner join span on judged.conversion_definition = span.conversion_definition
left join capacity on policy.capacity_kpi = capacity.kpi
where judged.is_compared
