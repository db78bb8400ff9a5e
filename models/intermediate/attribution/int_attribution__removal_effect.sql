{{ config(
    pre_hook="{{ leadlag.expected_visits(ref('int_attribution__chain')) }}",
    post_hook="{{ leadlag.drop_working_tables(['visits']) }}"
) }}
-- depends_on: {{ ref('int_attribution__chain') }}

-- Paths that meet a removed channel are lost: the share of conversions that go through it (Anderl 2016).
with visits as (

    select
        chain_key,
        from_channel,
        to_channel,
        probability as expected_visits
    from {{ leadlag.working_table('visits') }}
    where kind = 'visits'

),

chain as (

    select * from {{ ref('int_attribution__chain') }}

),

reached as (

    select
        visits.chain_key,
        visits.to_channel as channel,
        sum(chain.probability * visits.expected_visits) as expected_visits
    from visits
    inner join chain
        on visits.chain_key = chain.chain_key and chain.from_channel = '(start)' and visits.from_channel = chain.to_channel
    group by visits.chain_key, visits.to_channel

),

converting as (

    select
        visits.chain_key,
        visits.from_channel as channel,
        sum(chain.probability * visits.expected_visits) as conversion_probability
    from visits
    inner join chain
        on visits.chain_key = chain.chain_key and visits.to_channel = chain.from_channel and chain.to_channel = '(converted)'
    group by visits.chain_key, visits.from_channel

),

base as (

    select
        chain.chain_key,
        chain.attribution_model,
        chain.version,
        chain.milestone,
        chain.valid_from,
        chain.left_out_group,
        chain.learned_half,
        sum(chain.step_count) as path_count,
        sum(chain.probability * converting.conversion_probability) as conversion_rate
    from chain
    left join converting on chain.chain_key = converting.chain_key and chain.to_channel = converting.channel
    where chain.from_channel = '(start)'
    group by
        chain.chain_key,
        chain.attribution_model,
        chain.version,
        chain.milestone,
        chain.valid_from,
        chain.left_out_group,
        chain.learned_half

),

-- Who comes to the channel at all, times who converts from there.
removed as (

    select
        base.chain_key,
        base.attribution_model,
        base.version,
        base.milestone,
        base.valid_from,
        base.left_out_group,
        base.learned_half,
        base.path_count,
        coalesce(base.conversion_rate, 0) as conversion_rate,
        reached.channel,
        reached.expected_visits / own.expected_visits * converting.conversion_probability / nullif(base.conversion_rate, 0) as effect
    from base
    inner join reached on base.chain_key = reached.chain_key
    inner join visits as own
        on reached.chain_key = own.chain_key and reached.channel = own.from_channel and reached.channel = own.to_channel
    left join converting on reached.chain_key = converting.chain_key and reached.channel = converting.channel

)

-- Below 1e-12 are the last bits of sums.
select
    chain_key,
    attribution_model,
    version,
    milestone,
    valid_from,
    left_out_group,
    learned_half,
    path_count,
    conversion_rate,
    channel,
    case when effect >= 1e-12 then effect else {{ leadlag.double(0) }} end as removal_effect
from removed
