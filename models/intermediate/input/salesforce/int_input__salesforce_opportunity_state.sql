{#- Both refs stand outside the condition: which one is read is known only when the staging views exist. -#}
{%- set history = ref('stg_salesforce__opportunity_history') -%}
{%- set field_history = ref('stg_salesforce__opportunity_field_history') -%}
{%- set opportunity = ref('stg_salesforce__opportunity') -%}
{%- set chosen = leadlag.salesforce_opportunity_history_source(history, field_history) -%}
{%- if chosen == 'opportunity_history' -%}
select
    'opportunity_history' as source_table,
    history_id as source_id,
    opportunity_id,
    created_at,
    created_at_raw,
    loaded_at,
    dense_rank() over (
        partition by opportunity_id
        order by created_at nulls last, {{ leadlag.byte_order('history_id') }}
    ) as event_sequence,
    stage_name,
    amount,
    currency_code,
    probability,
    forecast_category
from {{ history }}
where opportunity_id is not null
{%- elif chosen == 'opportunity_field_history' -%}
with change as (

    select
        history_id,
        opportunity_id,
        old_value,
        new_value,
        created_at,
        created_at_raw,
        loaded_at,
        dense_rank() over (
            partition by opportunity_id
            order by created_at nulls last, {{ leadlag.byte_order('history_id') }}
        ) as change_number
    from {{ field_history }}
    where lower(field_name) = 'stagename'

),

first_change as (

    select
        opportunity_id,
        max(old_value) as old_value
    from change
    where change_number = 1
    group by opportunity_id

)

select
    'opportunity_field_history' as source_table,
    history_id as source_id,
    opportunity_id,
    created_at,
    created_at_raw,
    loaded_at,
    change_number as event_sequence,
    new_value as stage_name,
    cast(null as decimal(18, 2)) as amount,
    cast(null as {{ dbt.type_string() }}) as currency_code,
    cast(null as {{ leadlag.type_double() }}) as probability,
    cast(null as {{ dbt.type_string() }}) as forecast_category
from change
where new_value is not null
union all
select
    'opportunity' as source_table,
    opportunity.opportunity_id || ':created' as source_id,
    opportunity.opportunity_id,
    opportunity.created_at,
    opportunity.created_at_raw,
    opportunity.loaded_at,
    0 as event_sequence,
    first_change.old_value as stage_name,
    cast(null as decimal(18, 2)) as amount,
    cast(null as {{ dbt.type_string() }}) as currency_code,
    cast(null as {{ leadlag.type_double() }}) as probability,
    cast(null as {{ dbt.type_string() }}) as forecast_category
from {{ opportunity }} as opportunity
inner join first_change
    on opportunity.opportunity_id = first_change.opportunity_id
where first_change.old_value is not null
{%- else -%}
select
    'opportunity' as source_table,
    opportunity_id as source_id,
    opportunity_id,
    created_at,
    created_at_raw,
    loaded_at,
    0 as event_sequence,
    stage_name,
    amount,
    currency_code,
    probability,
    forecast_category
from {{ opportunity }}
where 1 = 0
{%- endif %}
