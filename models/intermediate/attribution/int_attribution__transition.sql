-- Steps of paths by the quarter in which they ended; (start), (converted) and (lost) are their ends. By groups of persons, each
-- left out once to see how much the weights owe to chance.
with step as (

    select
        path_set_key,
        person_group,
        concluded_date,
        channel as from_channel,
        coalesce(next_channel, case when is_converted then '(converted)' else '(lost)' end) as to_channel
    from {{ ref('int_attribution__path') }}
    union all
    select
        path_set_key,
        person_group,
        concluded_date,
        '(start)' as from_channel,
        channel as to_channel
    from {{ ref('int_attribution__path') }}
    where touch_number = 1

)

select
    path_set_key,
    cast({{ dbt.date_trunc('quarter', 'concluded_date') }} as date) as quarter_start,
    person_group,
    from_channel,
    to_channel,
    count(*) as step_count
from step
where path_set_key in (select model.path_set_key from {{ ref('int_attribution__model') }} as model where model.method = 'markov')
group by 1, 2, 3, 4, 5
