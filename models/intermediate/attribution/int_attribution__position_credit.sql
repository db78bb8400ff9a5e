-- Models by position: shares of positions that no touch holds go to those that are held, in proportion.
with position_sum as (

    select
        model_key,
        path_set_key,
        journey_key,
        touch_count,
        between_share,
        count(touch_number) as held_count,
        coalesce(sum(case when touch_number is not null then share end), 0) as held_share
    from {{ ref('int_attribution__position') }}
    group by model_key, path_set_key, journey_key, touch_count, between_share

),

position_total as (

    select
        *,
        {{ leadlag.double('held_share + case when touch_count > held_count then between_share else 0 end') }} as total_share
    from position_sum

),

positioned as (

    select
        total.model_key,
        path.journey_key,
        path.touchpoint_key,
        {{ leadlag.double('position.share') }} / total.total_share as credit
    from {{ ref('int_attribution__position') }} as position
    inner join position_total as total
        on position.model_key = total.model_key and position.journey_key = total.journey_key
    inner join {{ ref('int_attribution__path') }} as path
        on
            position.path_set_key = path.path_set_key
            and position.journey_key = path.journey_key
            and position.touch_number = path.touch_number
    where total.total_share > 0
    union all
    select
        total.model_key,
        path.journey_key,
        path.touchpoint_key,
        {{ leadlag.double('total.between_share') }} / (total.touch_count - total.held_count) / total.total_share as credit
    from position_total as total
    inner join {{ ref('int_attribution__path') }} as path
        on total.path_set_key = path.path_set_key and total.journey_key = path.journey_key
    left join {{ ref('int_attribution__position') }} as position
        on
            total.model_key = position.model_key
            and total.journey_key = position.journey_key
            and path.touch_number = position.touch_number
    where total.between_share > 0 and position.touch_number is null

)

select * from positioned
