{{ config(materialized='ephemeral') }}

{%- set known_channel = "(select known.channel from " ~ ref('channel_rule') ~ " as known)" %}

select
    'seeds/policy/channel_budget_rule.csv' as seed_file,
    count(*) || ' rows' as policy_row,
    'channel_budget needs one rule' as rule,
    'Keep one row' as remedy
from {{ ref('channel_budget_rule') }}
having count(*) <> 1
union all
{{ leadlag.violation(
    'channel_budget_rule', ['attribution_model', 'milestone', 'elasticity_milestone'],
    "not exists (
            select 1 from " ~ ref('attribution_model') ~ " as model
            where model.attribution_model = channel_budget_rule.attribution_model and model.milestone = channel_budget_rule.milestone
                and model.status = 'active'
        ) or not exists (
            select 1 from " ~ ref('attribution_model') ~ " as model
            where model.attribution_model = channel_budget_rule.attribution_model
                and model.milestone = channel_budget_rule.elasticity_milestone and model.status = 'active'
        ) or coalesce(milestone, '') <> 'won'",
    'the model is not active for both milestones, or margin is asked of another milestone than won',
    'Name a model that attribution_model.csv has for won and for elasticity_milestone'
) }}
union all
{{ leadlag.violation(
    'channel_budget_rule', ['window_quarters', 'elasticity', 'elasticity_sd', 'bound_share'],
    "coalesce(window_quarters, 0) < 1 or coalesce(elasticity, 0) <= 0 or elasticity >= 1 or coalesce(elasticity_sd, 0) <= 0
        or coalesce(bound_share, 0) <= 0 or bound_share >= 1",
    'a number is missing or out of range',
    'window_quarters: 1 or more; elasticity and bound_share: above 0 and below 1; elasticity_sd: above 0'
) }}
union all
{{ leadlag.violation(
    'channel_experiment', ['channel', 'ended_on', 'spend_change', 'margin_change', 'margin_standard_error'],
    "channel is null or channel not in " ~ known_channel ~ " or ended_on is null or coalesce(spend_change, 0) = 0 or margin_change is null
        or coalesce(margin_standard_error, 0) <= 0",
    'an unknown channel, or a result without date, change of spend, change of margin or standard error', 'Complete the row'
) }}
union all
{{ leadlag.repeated_policy_row('channel_experiment', ['channel', 'ended_on']) }}
