with delivered as (

    {{ leadlag.conform('hubspot', 'email_event_click') }}

),

located as (

    select
        email_event_id,
        clicked_url,
        loaded_at,
        {{ leadlag.url_address('clicked_url') }} as page_address,
        {{ leadlag.url_query('clicked_url') }} as page_query
    from delivered

),

parsed as (

    select
        email_event_id,
        clicked_url,
        loaded_at,
        {{ leadlag.url_path('page_address') }} as landing_path,
        {{ leadlag.url_campaign_columns('page_query') }}
    from located

)

select
    email_event_id,
    clicked_url,
    landing_path,
    {{ leadlag.decoded_campaign_columns() }},
    loaded_at
from parsed
