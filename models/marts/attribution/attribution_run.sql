with credit as (

    select
        attribution_model,
        version,
        milestone,
        min(converted_date) as first_converted_date,
        max(converted_date) as last_converted_date,
        count(distinct journey_key) as conversion_count,
        count(distinct touchpoint_key) as touch_count,
        count(case when channel = 'unattributed' then 1 end) as unattributed_count
    from {{ ref('fct_attribution_credit') }}
    group by attribution_model, version, milestone

),

parameter as (

    select
        attribution_model,
        version,
        {{ leadlag.sorted_list("position || ' ' || cast(share as " ~ dbt.type_string() ~ ")", ', ') }} as parameters
    from {{ ref('attribution_position') }}
    group by attribution_model, version
    union all
    select
        attribution_model,
        version,
        {{ leadlag.sorted_list("channel || ' ' || cast(weight as " ~ dbt.type_string() ~ ")", ', ') }} as parameters
    from {{ ref('attribution_channel_weight') }}
    group by attribution_model, version

)

select
    policy.attribution_model,
    policy.version,
    policy.milestone,
    policy.model_name,
    policy.method,
    policy.eligible_touches,
    policy.lookback_days,
    cast(policy.half_life_days as {{ leadlag.type_double() }}) as half_life_days,
    policy.training_quarters,
    parameter.parameters,
    cast({{ var('visit_gap_minutes', 30) }} as integer) as visit_gap_minutes,
    credit.first_converted_date,
    credit.last_converted_date,
    cast(coalesce(credit.conversion_count, 0) as bigint) as conversion_count,
    cast(coalesce(credit.touch_count, 0) as bigint) as touch_count,
    cast(coalesce(credit.unattributed_count, 0) as bigint) as unattributed_count,
    {{ leadlag.double('credit.unattributed_count') }} / nullif(credit.conversion_count, 0) as unattributed_share,
    clock.as_of
from {{ ref('attribution_model') }} as policy
inner join {{ ref('int_attribution__model') }} as model
    on policy.attribution_model = model.attribution_model and policy.version = model.version and policy.milestone = model.milestone
cross join {{ ref('int_input__clock') }} as clock
left join credit
    on policy.attribution_model = credit.attribution_model and policy.version = credit.version and policy.milestone = credit.milestone
left join parameter on policy.attribution_model = parameter.attribution_model and policy.version = parameter.version
