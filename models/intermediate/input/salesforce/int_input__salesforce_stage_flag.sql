with -- Opportunities carry the API name, people see the label; both are the same unless somebody renamed a stage.
named as (

    select
        lower(trim(api_name)) as stage_key,
        is_closed,
        is_won,
        default_probability,
        case when coalesce(is_active, true) then 1 else 3 end as preference,
        stage_id
    from {{ ref('stg_salesforce__opportunity_stage') }}
    where api_name is not null
    union all
    select
        lower(trim(stage_label)) as stage_key,
        is_closed,
        is_won,
        default_probability,
        case when coalesce(is_active, true) then 2 else 4 end as preference,
        stage_id
    from {{ ref('stg_salesforce__opportunity_stage') }}
    where stage_label is not null

),

preferred as (

    select
        stage_key,
        is_closed,
        is_won,
        default_probability,
        row_number() over (
            partition by stage_key
            order by preference, {{ leadlag.byte_order('stage_id') }}
        ) as preference
    from named

),

-- A stage that the table does not know has the flags of the opportunities that are in it, when these agree.
observed as (

    select
        lower(trim(stage_name)) as stage_key,
        max(case when is_closed then 1 else 0 end) as is_closed,
        max(case when is_won then 1 else 0 end) as is_won
    from {{ ref('stg_salesforce__opportunity') }}
    where stage_name is not null and is_closed is not null and is_won is not null
    group by lower(trim(stage_name))
    having
        min(case when is_closed then 1 else 0 end) = max(case when is_closed then 1 else 0 end)
        and min(case when is_won then 1 else 0 end) = max(case when is_won then 1 else 0 end)

)

select
    stage_key,
    is_closed,
    is_won,
    default_probability
from preferred
where preference = 1
union all
select
    observed.stage_key,
    observed.is_closed = 1 as is_closed,
    observed.is_won = 1 as is_won,
    cast(null as {{ leadlag.type_double() }}) as default_probability
from observed
left join preferred
    on observed.stage_key = preferred.stage_key
where preferred.stage_key is null
