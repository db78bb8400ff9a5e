{%- set sums = ['mqls', 'opportunities', 'wins', 'amount_base', 'gross_margin'] -%}

-- Spend is every model's.
with quarterly as (

    select
        model.attribution_model,
        model.version,
        day.channel,
        cast({{ dbt.date_trunc('quarter', 'day.date_day') }} as date) as quarter_start,
        {%- for name in sums %}
        sum(coalesce(day.{{ name }}, 0)) as {{ name }},
        {%- endfor %}
        sum(coalesce(day.spend_base, 0)) as spend_base,
        sum(day.unconverted_spend_rows) as unconverted_spend_rows
    from {{ ref('channel_day') }} as day
    inner join (select distinct attribution_model, version from {{ ref('int_attribution__model') }}) as model
        on
            coalesce(day.attribution_model, model.attribution_model) = model.attribution_model
            and coalesce(day.version, model.version) = model.version
    group by
        model.attribution_model, model.version, day.channel, cast({{ dbt.date_trunc('quarter', 'day.date_day') }} as date)

)

-- A channel of which no spend was ever recorded is not free: its cost is unknown.
select
    attribution_model,
    version,
    case when grouping(quarter_start) = 0 then 'quarter' else 'total' end as period_grain,
    quarter_start as period_start,
    channel,
    case when max(sum(spend_base)) over (partition by attribution_model, version, channel) > 0 then sum(spend_base) end as spend_base,
    {%- for name in sums %}
    sum({{ name }}) as {{ name }},
    {%- endfor %}
    cast(sum(unconverted_spend_rows) as bigint) as unconverted_spend_rows
from quarterly
group by grouping sets ((attribution_model, version, channel, quarter_start), (attribution_model, version, channel))
