with deal_currency as (

    select
        deal_id,
        max(currency_code) as currency_code
    from {{ ref('stg_hubspot__deal') }}
    group by deal_id

),

-- Deals without any entry: open from creation, closed (if they are) on the close date.
unrecorded as (

    select
        deal.deal_id,
        deal.amount,
        deal.currency_code,
        deal.created_at,
        deal.created_at_raw,
        deal.closed_at,
        deal.loaded_at,
        coalesce(stage.stage_label, deal.stage_id) as stage_raw,
        stage.probability,
        stage.is_closed,
        stage.is_won,
        coalesce(stage.is_closed, false) as was_closed
    from {{ ref('stg_hubspot__deal') }} as deal
    left join {{ ref('int_input__hubspot_stage_flag') }} as stage
        on deal.stage_id = stage.stage_id
    where
        not coalesce(deal.is_deleted, false)
        and not exists (
            select 1
            from {{ ref('stg_hubspot__deal_stage') }} as entry
            where entry.deal_id = deal.deal_id
        )
        and not exists (
            select 1
            from {{ ref('stg_hubspot__merged_deal') }} as merged_deal
            where merged_deal.merged_deal_id = deal.deal_id
        )

)

select
    'hubspot' as source_system,
    'deal_stage' as source_table,
    entry.deal_id || ':'
    || coalesce(cast({{ leadlag.epoch_us('entry.entered_at') }} as {{ dbt.type_string() }}), entry.entered_at_raw, '')
    || ':' || coalesce(entry.stage_id, '') as source_id,
    entry.entered_at as occurred_at,
    entry.entered_at_raw as occurred_at_raw,
    entry.entered_at as recorded_at,
    entry.loaded_at,
    cast(0 as bigint) as event_sequence,
    entry.deal_id as opportunity_source_id,
    coalesce(stage.stage_label, entry.stage_id) as stage_raw,
    stage.is_closed,
    stage.is_won,
    cast(stage.probability as {{ leadlag.type_double() }}) as probability,
    cast(null as decimal(18, 2)) as amount,
    deal_currency.currency_code
from {{ ref('stg_hubspot__deal_stage') }} as entry
left join {{ ref('int_input__hubspot_stage_flag') }} as stage
    on entry.stage_id = stage.stage_id
left join deal_currency
    on entry.deal_id = deal_currency.deal_id
{%- for moment in ['created', 'closed'] %}
union all
select
    'hubspot' as source_system,
    'deal' as source_table,
    deal_id || ':{{ moment }}' as source_id,
    {%- if moment == 'created' %}
    created_at as occurred_at,
    {%- else %}
    least(greatest(created_at, coalesce(closed_at, created_at)), loaded_at) as occurred_at,
    {%- endif %}
    created_at_raw as occurred_at_raw,
    {{ 'created_at' if moment == 'created' else 'cast(null as timestamp)' }} as recorded_at,
    loaded_at,
    cast({{ loop.index0 }} as bigint) as event_sequence,
    deal_id as opportunity_source_id,
    {%- if moment == 'created' %}
    case when was_closed then '(not recorded)' else stage_raw end as stage_raw,
    case when was_closed then false else is_closed end as is_closed,
    case when was_closed then false else is_won end as is_won,
    cast(case when not was_closed then probability end as {{ leadlag.type_double() }}) as probability,
    case when not was_closed then amount end as amount,
    {%- else %}
    stage_raw,
    is_closed,
    is_won,
    cast(probability as {{ leadlag.type_double() }}) as probability,
    amount,
    {%- endif %}
    currency_code
from unrecorded
{{ 'where was_closed' if moment == 'closed' }}
{%- endfor %}
