-- Steps of paths by the quarter in which they ended; (start), (converted) and (lost) are their ends. By groups of persons, each
-- left out once to see how much the weights owe to chance.
with walked as (

    -- Where all touches are eligible, a path is a row of touches without a gap: nothing is to be ordered again.
    select
        path_set_key,
        person_key,
        is_converted,
        concluded_date,
        channel,
        case when {{ dbt.date_trunc('second', 'next_at') }} <= concluded_at then next_channel end as next_channel
    from {{ ref('int_attribution__eligible_touch') }}
    where has_chain = 1 and eligible_touches = 'all'
    union all
    select
        path_set_key,
        person_key,
        is_converted,
        concluded_date,
        channel,
        lead(channel) over (partition by path_set_key, journey_key order by touch_number) as next_channel
    from {{ ref('int_attribution__eligible_touch') }}
    where has_chain = 1 and eligible_touches <> 'all'

),

step as (

    select
        path_set_key,
        cast({{ dbt.date_trunc('quarter', 'concluded_date') }} as date) as quarter_start,
        mod(person_key, 20) as person_group,
        channel as from_channel,
        coalesce(next_channel, case when is_converted then '(converted)' else '(lost)' end) as to_channel,
        count(*) as step_count
    from walked
    group by 1, 2, 3, 4, 5

),

-- A visit to a channel that no step led to is the first of its path.
visit as (

    select
        path_set_key,
        quarter_start,
        person_group,
        from_channel as channel,
        step_count
    from step
    union all
    select
        path_set_key,
        quarter_start,
        person_group,
        to_channel as channel,
        -step_count as step_count
    from step
    where to_channel not in ('(converted)', '(lost)')

)

select * from step
union all
select
    path_set_key,
    quarter_start,
    person_group,
    '(start)' as from_channel,
    channel as to_channel,
    cast(sum(step_count) as bigint) as step_count
from visit
group by 1, 2, 3, 5
having sum(step_count) > 0
