with rep as (

    select
        unified.rep_key as unified_key,
        rep.*
    from {{ ref('int_input__rep') }} as rep
    inner join {{ ref('int_engagement__rep') }} as unified
        on rep.rep_key = unified.system_rep_key

),

known as (

    select
        unified_key,
        min(full_name) as rep_name,
        min(role_name) as role_name,
        min(team) as team,
        min(region) as region,
        max(case when is_active then 1 else 0 end) = 1 as is_active,
        count(*) as system_user_count
    from rep
    group by unified_key

)

select
    rep.rep_key,
    rep.source_system,
    rep.source_id,
    coalesce(rep.full_name, known.rep_name) as rep_name,
    coalesce(rep.role_name, known.role_name) as role_name,
    coalesce(rep.team, known.team) as team,
    coalesce(rep.region, known.region) as region,
    manager.rep_key as manager_rep_key,
    known.is_active,
    known.system_user_count
from rep
inner join known on rep.rep_key = known.unified_key
left join {{ ref('int_engagement__rep') }} as manager
    on rep.source_system = manager.source_system and rep.manager_source_id = manager.source_id
