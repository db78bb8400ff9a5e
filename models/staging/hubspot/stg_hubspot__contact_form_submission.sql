with delivered as (

    {{ leadlag.conform('hubspot', 'contact_form_submission', raw='submitted_at') }}

),

located as (

    select
        conversion_id,
        contact_id,
        form_id,
        submitted_at,
        submitted_at_raw,
        page_url,
        loaded_at,
        {{ leadlag.url_address('page_url') }} as page_address,
        {{ leadlag.url_query('page_url') }} as page_query
    from delivered

),

parsed as (

    select
        conversion_id,
        contact_id,
        form_id,
        submitted_at,
        submitted_at_raw,
        page_url,
        loaded_at,
        {{ leadlag.url_path('page_address') }} as landing_path,
        {{ leadlag.url_campaign_columns('page_query') }}
    from located

)

select
    conversion_id,
    contact_id,
    form_id,
    submitted_at,
    submitted_at_raw,
    page_url,
    landing_path,
    {{ leadlag.decoded_campaign_columns() }},
    loaded_at
from parsed
