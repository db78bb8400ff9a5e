-- Journeys whose paths meet the same channels are one case for all that weighs channels: there are far fewer sets than journeys.
with path_set as (

    select distinct
        path_set_key,
        milestone
    from {{ ref('int_attribution__model') }}

),

known as (

    select distinct channel from {{ ref('int_attribution__met_channel') }}

),

keyed as (

    select
        channel,
        {{ leadlag.key(['channel']) }} as channel_key
    from known

),

met as (

    select
        met_channel.path_set_key,
        met_channel.journey_key,
        bit_xor(keyed.channel_key) as channel_set_key
    from {{ ref('int_attribution__met_channel') }} as met_channel
    inner join keyed on met_channel.channel = keyed.channel
    group by met_channel.path_set_key, met_channel.journey_key

)

select
    path_set.path_set_key,
    outcome.journey_key,
    mod(outcome.person_key, 2) as half,
    outcome.is_converted,
    cast({{ dbt.date_trunc('quarter', 'outcome.concluded_date') }} as date) as quarter_start,
    coalesce(met.channel_set_key, 0) as channel_set_key
from {{ ref('int_attribution__outcome') }} as outcome
inner join path_set on outcome.milestone = path_set.milestone
left join met on path_set.path_set_key = met.path_set_key and outcome.journey_key = met.journey_key
