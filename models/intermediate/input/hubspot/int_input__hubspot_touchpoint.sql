with email_event as (

    select
        email_event_id,
        lower(event_type) as interaction,
        created_at,
        created_at_raw,
        recipient,
        email_campaign_id,
        loaded_at
    from {{ ref('stg_hubspot__email_event') }}
    where upper(event_type) in ('OPEN', 'CLICK') and not coalesce(is_filtered, false)

),

email_campaign as (

    select
        email_campaign_id,
        max(coalesce(campaign_name, subject)) as campaign_name
    from {{ ref('stg_hubspot__email_campaign') }}
    group by email_campaign_id

),

-- A form writes its answers into the contact's properties, within seconds.
answer as (

    select
        form.contact_id,
        form.submitted_at,
        max(history.property_value) as self_reported_source
    from {{ ref('stg_hubspot__contact_form_submission') }} as form
    inner join {{ ref('stg_hubspot__contact_property_history') }} as history
        on
            form.contact_id = history.contact_id
            and abs({{ leadlag.seconds_between('form.submitted_at', 'history.changed_at') }}) <= 60
    where lower(history.property_name) = lower('{{ var("self_reported_property") }}') and upper(history.change_source) = 'FORM'
    group by form.contact_id, form.submitted_at

)

select
    'hubspot' as source_system,
    'email_event' as source_table,
    email_event.email_event_id as source_id,
    email_event.created_at as occurred_at,
    email_event.created_at_raw as occurred_at_raw,
    email_event.created_at as recorded_at,
    email_event.loaded_at,
    cast(null as {{ dbt.type_string() }}) as record_type,
    cast(null as {{ dbt.type_string() }}) as record_source_id,
    email_event.recipient as email,
    'email' as touchpoint_type,
    email_event.interaction,
    email_event.email_campaign_id as campaign_source_id,
    email_campaign.campaign_name,
    click.clicked_url as page_url,
    cast(null as {{ dbt.type_string() }}) as self_reported_source
from email_event
left join {{ ref('stg_hubspot__email_event_click') }} as click
    on email_event.email_event_id = click.email_event_id
left join email_campaign
    on email_event.email_campaign_id = email_campaign.email_campaign_id
union all
select
    'hubspot' as source_system,
    'contact_form_submission' as source_table,
    coalesce(
        form.conversion_id,
        form.contact_id || ':' || coalesce(form.form_id, '') || ':'
        || coalesce(cast({{ leadlag.epoch_us('form.submitted_at') }} as {{ dbt.type_string() }}), form.submitted_at_raw, '')
    ) as source_id,
    form.submitted_at as occurred_at,
    form.submitted_at_raw as occurred_at_raw,
    form.submitted_at as recorded_at,
    form.loaded_at,
    'contact' as record_type,
    form.contact_id as record_source_id,
    cast(null as {{ dbt.type_string() }}) as email,
    'form' as touchpoint_type,
    'form_submission' as interaction,
    cast(null as {{ dbt.type_string() }}) as campaign_source_id,
    cast(null as {{ dbt.type_string() }}) as campaign_name,
    form.page_url,
    answer.self_reported_source
from {{ ref('stg_hubspot__contact_form_submission') }} as form
left join answer
    on form.contact_id = answer.contact_id and form.submitted_at = answer.submitted_at
