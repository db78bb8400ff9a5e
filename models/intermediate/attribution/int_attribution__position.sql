-- What holds a position: of those before a milestone the last touch; nothing where there was no touch before it.
with path as (

    select
        path_set_key,
        journey_key,
        count(*) as touch_count,
        min(touch_number) as first_touch,
        max(touch_number) as last_touch,
        max(case when channel <> 'direct' then touch_number end) as last_non_direct,
        min(case when is_paid then touch_number end) as first_paid,
        max(case when is_paid then touch_number end) as last_paid,
        max(case when is_before_inquiry then touch_number end) as last_before_inquiry,
        max(case when is_before_mql then touch_number end) as last_before_mql,
        max(case when is_before_opportunity then touch_number end) as last_before_opportunity
    from {{ ref('int_attribution__path') }}
    group by path_set_key, journey_key

),

held as (

    select
        model.model_key,
        model.path_set_key,
        model.between_share,
        path.journey_key,
        path.touch_count,
        position.share,
        case position.position
            when 'first' then path.first_touch
            when 'last' then path.last_touch
            when 'last_non_direct' then coalesce(path.last_non_direct, path.last_touch)
            when 'first_paid' then path.first_paid
            when 'last_paid' then path.last_paid
            when 'before_inquiry' then path.last_before_inquiry
            when 'before_mql' then path.last_before_mql
            when 'before_opportunity' then path.last_before_opportunity
        end as touch_number
    from path
    inner join {{ ref('int_attribution__model') }} as model on path.path_set_key = model.path_set_key
    left join {{ ref('attribution_position') }} as position
        on model.attribution_model = position.attribution_model and model.version = position.version and position.position <> 'between'
    where model.method = 'position'

)

-- A touch that holds two positions has the shares of both.
select
    model_key,
    path_set_key,
    journey_key,
    touch_number,
    between_share,
    touch_count,
    sum(share) as share
from held
group by model_key, path_set_key, journey_key, touch_number, between_share, touch_count
