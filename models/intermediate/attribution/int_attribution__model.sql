-- depends_on: {{ ref('int_policy__violation') }}
select
    {{ leadlag.key(['model.attribution_model', 'model.version', 'model.milestone']) }} as model_key,
    model.attribution_model,
    model.version,
    model.milestone,
    model.method,
    model.eligible_touches,
    model.lookback_days,
    model.half_life_days,
    model.training_quarters,
    model.is_reference,
    {{ leadlag.key(['model.milestone', 'model.eligible_touches', 'model.lookback_days']) }} as path_set_key,
    coalesce(max(case when position.position = 'between' then position.share end), 0) as between_share
from {{ ref('attribution_model') }} as model
left join {{ ref('attribution_position') }} as position
    on model.attribution_model = position.attribution_model and model.version = position.version
where model.status = 'active'
group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
