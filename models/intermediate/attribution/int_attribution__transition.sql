-- Steps of paths by the quarter in which they ended; (start), (converted) and (lost) are their ends. By groups of persons, each
-- left out once to see how much the weights owe to chance.
with path as (

    select
        path_set_key,
        mod(person_key, 20) as person_group,
        is_converted,
        concluded_date,
        channel,
        lag(channel) over walk as previous_channel,
        lead(channel) over walk as next_channel
    from {{ ref('int_attribution__eligible_touch') }}
    where has_chain = 1
    window walk as (partition by path_set_key, journey_key order by touch_number)

),

step as (

    select
        path_set_key,
        person_group,
        concluded_date,
        channel as from_channel,
        coalesce(next_channel, case when is_converted then '(converted)' else '(lost)' end) as to_channel
    from path
    union all
    select
        path_set_key,
        person_group,
        concluded_date,
        '(start)' as from_channel,
        channel as to_channel
    from path
    where previous_channel is null

)

select
    path_set_key,
    cast({{ dbt.date_trunc('quarter', 'concluded_date') }} as date) as quarter_start,
    person_group,
    from_channel,
    to_channel,
    count(*) as step_count
from step
group by 1, 2, 3, 4, 5
