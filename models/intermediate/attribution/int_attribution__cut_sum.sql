-- Conversions come as events of a Poisson process, so the variance of a sum of credits is the sum of their squares. Markov models
-- have the noise of their weights on top.
with dated as (

    select
        *,
        cast({{ dbt.date_trunc('quarter', 'converted_date') }} as date) as quarter_start
    from {{ ref('int_attribution__cut_credit') }}

),

summed as (

    select
        model_key,
        case when grouping(quarter_start) = 0 then 'quarter' else 'total' end as period_grain,
        quarter_start as period_start,
        cut_name,
        cut_value,
        sum(credit) as credit,
        sum(credit * credit) as credit_variance,
        count(case when credit > 0 then 1 end) as conversion_count,
        sum(amount_base) as amount_base,
        sum(amount_base * amount_base) as amount_variance,
        count(case when amount_base > 0 then 1 end) as amount_count,
        sum(reference_credit) as reference_credit,
        sum((credit - reference_credit) * (credit - reference_credit)) as difference_variance
    from dated
    group by grouping sets (
        (model_key, cut_name, cut_value, quarter_start),
        (model_key, cut_name, cut_value)
    )

)

select
    model.attribution_model,
    model.version,
    model.milestone,
    summed.period_grain,
    summed.period_start,
    summed.cut_name,
    summed.cut_value,
    summed.cut_value not in ('unattributed', '(none)') as is_compared,
    summed.credit,
    summed.credit_variance,
    coalesce(own.weight_variance, 0) as weight_variance,
    summed.conversion_count,
    summed.amount_base,
    summed.amount_variance,
    summed.amount_count,
    summed.reference_credit,
    summed.difference_variance,
    case
        when model.is_reference then 0
        else coalesce(own.weight_variance, 0) + coalesce(other.weight_variance, 0)
    end as difference_weight_variance
from summed
inner join {{ ref('int_attribution__model') }} as model on summed.model_key = model.model_key
inner join {{ ref('int_attribution__model') }} as reference on model.milestone = reference.milestone and reference.is_reference
{%- for name, of in {'own': 'model', 'other': 'reference'}.items() %}
left join {{ ref('int_attribution__weight_noise') }} as {{ name }}
    on
        {{ of }}.model_key = {{ name }}.model_key
        and summed.period_grain = {{ name }}.period_grain
        and coalesce(summed.period_start, cast('1000-01-01' as date)) = {{ name }}.period_start
        and summed.cut_name = {{ name }}.cut_name
        and summed.cut_value = {{ name }}.cut_value
{%- endfor %}
