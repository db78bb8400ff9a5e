{#- A view, as forecast_current. -#}
{{ config(materialized='view') }}

with quality as (

    select * from {{ ref('int_input__model_quality') }}

),

change as (

    select * from {{ ref('model_change') }}

),

ran as (

    select
        model,
        model_version,
        min(as_of) as first_as_of,
        max(as_of) as last_as_of,
        count(distinct as_of) as run_count,
        min(window_start) as window_start,
        max(window_end) as window_end
    from quality
    group by model, model_version

),

-- What a version is judged by, beside that of its predecessor on the same day.
judged as (

    select
        change.model,
        change.model_version,
        own.as_of,
        own.value,
        own.value_low,
        own.value_high,
        own.case_count,
        earlier.value as predecessor_value,
        earlier.value_low as predecessor_low,
        earlier.value_high as predecessor_high,
        earlier.case_count as predecessor_case_count,
        row_number() over (
            partition by change.model, change.model_version
            order by case when earlier.value is null then 1 else 0 end, own.as_of desc
        ) as run_rank
    from change
    inner join quality as own
        on
            change.model = own.model
            and change.model_version = own.model_version
            and change.scope = own.scope
            and change.metric = own.metric
    left join quality as earlier
        on
            own.model = earlier.model
            and change.predecessor_version = earlier.model_version
            and own.scope = earlier.scope
            and own.metric = earlier.metric
            and own.as_of = earlier.as_of

)

select
    coalesce(change.model, ran.model) as model,
    coalesce(change.model_version, ran.model_version) as model_version,
    change.model is not null as is_registered,
    change.predecessor_version,
    change.what_changed,
    change.approved_by,
    change.approved_on,
    ran.first_as_of,
    ran.last_as_of,
    cast(coalesce(ran.run_count, 0) as {{ dbt.type_bigint() }}) as run_count,
    ran.window_start,
    ran.window_end,
    change.scope,
    change.metric,
    change.better_when,
    judged.as_of as judged_as_of,
    judged.value,
    judged.value_low,
    judged.value_high,
    cast(judged.case_count as {{ dbt.type_bigint() }}) as case_count,
    judged.predecessor_value,
    cast(judged.predecessor_case_count as {{ dbt.type_bigint() }}) as predecessor_case_count,
    judged.value - judged.predecessor_value as effect,
    case
        when judged.value_high < judged.predecessor_low or judged.value_low > judged.predecessor_high
            then case when (judged.value < judged.predecessor_value) = (change.better_when = 'lower') then 'better' else 'worse' end
        when judged.predecessor_value is not null then 'within noise'
    end as verdict,
    case
        when change.model is null then 'unregistered: no row of model_change'
        when ran.model is null then 'has not run here'
        when judged.value is null then 'was not judged by this metric'
        when change.predecessor_version is null then 'first version'
        when judged.predecessor_value is null then 'its predecessor was not judged on the same day'
    end as reason
from change
full outer join ran on change.model = ran.model and change.model_version = ran.model_version
left join judged
    on
        change.model = judged.model
        and change.model_version = judged.model_version
        and judged.run_rank = 1
