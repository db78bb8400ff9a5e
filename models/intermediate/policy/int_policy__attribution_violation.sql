{{ config(materialized='ephemeral') }}

{%- set model = ['attribution_model', 'version', 'milestone'] -%}
{%- set known_channel = "(select known.channel from " ~ ref('channel_rule') ~ " as known)" %}

{{ leadlag.violation(
    'attribution_model', model + ['method', 'eligible_touches', 'status'],
    "attribution_model is null or version is null
        or coalesce(milestone, '') not in ('inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won')
        or coalesce(method, '') not in ('position', 'time_decay', 'channel_weight', 'markov', 'shapley')
        or coalesce(eligible_touches, '') not in ('all', 'not_direct', 'paid') or coalesce(status, '') not in ('active', 'retired')",
    'no name, or an unknown milestone, method, eligible_touches or status',
    'method: position, time_decay, channel_weight, markov or shapley; eligible_touches: all, not_direct or paid; status: active or retired'
) }}
union all
{{ leadlag.violation(
    'attribution_model', model + ['lookback_days', 'half_life_days', 'training_quarters'],
    "coalesce(lookback_days, 0) < 1 or (method = 'time_decay' and coalesce(half_life_days, 0) <= 0)
        or (method = 'markov' and coalesce(training_quarters, 0) < 1)",
    'a number that the method needs is missing or not positive',
    'lookback_days: 1 or more; half_life_days for time_decay; training_quarters for markov'
) }}
union all
{{ leadlag.repeated_policy_row('attribution_model', model) }}
union all
select
    'seeds/policy/attribution_model.csv' as seed_file,
    milestone as policy_row,
    'not exactly one active model of the milestone is the reference' as rule,
    'Set is_reference to true in one of them' as remedy
from {{ ref('attribution_model') }}
where status = 'active'
group by milestone
having sum(case when is_reference then 1 else 0 end) <> 1
union all
select
    'seeds/policy/attribution_model.csv' as seed_file,
    attribution_model || ', ' || milestone as policy_row,
    'two versions of the model are active' as rule,
    'Retire the earlier one' as remedy
from {{ ref('attribution_model') }}
where status = 'active'
group by attribution_model, milestone
having count(distinct version) > 1
union all
{{ leadlag.violation(
    'attribution_position', ['attribution_model', 'version', 'position', 'share'],
    "coalesce(position, '') not in ('first', 'last', 'last_non_direct', 'first_paid', 'last_paid', 'before_inquiry', 'before_mql',
        'before_opportunity', 'between') or coalesce(share, 0) <= 0",
    'an unknown position, or no positive share', 'Positions are listed in _attribution_policy.yml'
) }}
union all
{{ leadlag.repeated_policy_row('attribution_position', ['attribution_model', 'version', 'position']) }}
union all
select
    'seeds/policy/attribution_position.csv' as seed_file,
    model.attribution_model || ', ' || model.version as policy_row,
    'the shares of the model do not add up to 1' as rule,
    'Give each model of method position its shares' as remedy
from {{ ref('attribution_model') }} as model
left join {{ ref('attribution_position') }} as position
    on model.attribution_model = position.attribution_model and model.version = position.version
where model.method = 'position'
group by model.attribution_model, model.version, model.milestone
having abs(coalesce(sum(position.share), 0) - 1) > 0.000001
union all
{{ leadlag.violation(
    'attribution_channel_weight', ['attribution_model', 'version', 'channel', 'weight'],
    "coalesce(weight, -1) < 0 or channel is null or (channel <> '*' and channel not in " ~ known_channel ~ ")",
    'an unknown channel, or no weight', 'Write a channel of channel_rule.csv, or * for all others, and a weight of 0 or more'
) }}
union all
{{ leadlag.repeated_policy_row('attribution_channel_weight', ['attribution_model', 'version', 'channel']) }}
union all
select
    'seeds/policy/attribution_channel_weight.csv' as seed_file,
    model.attribution_model || ', ' || model.version as policy_row,
    'the model has no weights' as rule,
    'Give it a row for * at least' as remedy
from {{ ref('attribution_model') }} as model
left join {{ ref('attribution_channel_weight') }} as weight
    on model.attribution_model = weight.attribution_model and model.version = weight.version and weight.channel = '*'
where model.method = 'channel_weight' and weight.channel is null
union all
{{ leadlag.violation(
    'ad_platform', ['platform', 'channel'], "platform is null or channel is null or channel not in " ~ known_channel,
    'no platform, or an unknown channel', 'Write a channel of channel_rule.csv'
) }}
union all
{{ leadlag.repeated_policy_row('ad_platform', ['platform']) }}
union all
{{ leadlag.violation(
    'lift_rule', ['lift_rule', 'version', 'treatment', 'milestone', 'status'],
    "lift_rule is null or version is null or coalesce(treatment, '') not in ('channel', 'touchpoint_type')
        or coalesce(milestone, '') not in ('inquiry', 'mql', 'sal', 'sql', 'opportunity', 'won')
        or coalesce(status, '') not in ('active', 'retired')",
    'no name, or an unknown treatment, milestone or status', 'treatment: channel or touchpoint_type; status: active or retired'
) }}
union all
{{ leadlag.violation(
    'lift_rule',
    [
        'lift_rule', 'landmark_days', 'window_days', 'minimum_cases', 'minimum_conversions', 'propensity_bound', 'minimum_overlap',
        'maximum_imbalance'
    ],
    "coalesce(landmark_days, 0) < 1 or coalesce(window_days, 0) < 1 or coalesce(minimum_cases, 0) < 1
        or coalesce(minimum_conversions, 0) < 1 or coalesce(propensity_bound, 0) <= 0 or propensity_bound >= 0.5
        or minimum_overlap is null or minimum_overlap < 0 or minimum_overlap > 1 or coalesce(maximum_imbalance, 0) <= 0",
    'a number is missing or out of range',
    'days and minima: 1 or more; propensity_bound: above 0 and below 0.5; minimum_overlap: 0 to 1; maximum_imbalance: above 0'
) }}
union all
{{ leadlag.repeated_policy_row('lift_rule', ['lift_rule', 'version']) }}
