{%- set milestones = {'mql': 'mqls', 'opportunity': 'opportunities', 'won': 'wins'} -%}

with credited as (

    select
        attribution_model,
        version,
        period_grain,
        period_start,
        cut_value as channel,
        {%- for milestone in milestones %}
        max(case when milestone = '{{ milestone }}' then credit_low end) as {{ milestone }}_low,
        max(case when milestone = '{{ milestone }}' then credit_high end) as {{ milestone }}_high,
        {%- endfor %}
        max(case when milestone = 'won' then amount_base_low end) as amount_base_low,
        max(case when milestone = 'won' then amount_base_high end) as amount_base_high
    from {{ ref('attribution_comparison') }}
    where cut_name = 'channel'
    group by attribution_model, version, period_grain, period_start, cut_value

),

computed as (

    select
        attribution_model,
        version
        {%- for milestone in milestones %},
        max(case when milestone = '{{ milestone }}' then 1 else 0 end) as has_{{ milestone }}
        {%- endfor %}
    from {{ ref('int_attribution__model') }}
    group by attribution_model, version

)

select
    {{ leadlag.key(['summed.attribution_model', 'summed.version', 'summed.period_grain', 'summed.period_start', 'summed.channel']) }}
        as channel_return_key,
    summed.attribution_model,
    summed.version,
    summed.period_grain,
    summed.period_start,
    summed.channel,
    summed.spend_base,
    summed.unconverted_spend_rows,
    {%- for milestone, name in milestones.items() %}
    case when computed.has_{{ milestone }} = 1 then summed.{{ name }} end as {{ name }},
    case when computed.has_{{ milestone }} = 1 then summed.spend_base / nullif(summed.{{ name }}, 0) end as cost_per_{{ milestone }},
    summed.spend_base / nullif(credited.{{ milestone }}_high, 0) as cost_per_{{ milestone }}_low,
    case when summed.{{ name }} > 0 then summed.spend_base / nullif(credited.{{ milestone }}_low, 0) end as cost_per_{{ milestone }}_high,
    {%- endfor %}
    case when computed.has_won = 1 then summed.amount_base end as amount_base,
    case when computed.has_won = 1 then summed.amount_base / nullif(summed.spend_base, 0) end as return_on_spend,
    credited.amount_base_low / nullif(summed.spend_base, 0) as return_on_spend_low,
    credited.amount_base_high / nullif(summed.spend_base, 0) as return_on_spend_high,
    case when computed.has_won = 1 then summed.gross_margin end as gross_margin,
    case when computed.has_won = 1 then summed.gross_margin - summed.spend_base end as contribution_margin,
    case when computed.has_won = 1 then 12 * summed.spend_base / nullif(summed.gross_margin, 0) end as payback_months
from {{ ref('int_attribution__channel_sum') }} as summed
inner join computed on summed.attribution_model = computed.attribution_model and summed.version = computed.version
left join credited
    on
        summed.attribution_model = credited.attribution_model
        and summed.version = credited.version
        and summed.period_grain = credited.period_grain
        and coalesce(summed.period_start, cast('1000-01-01' as date)) = coalesce(credited.period_start, cast('1000-01-01' as date))
        and summed.channel = credited.channel
