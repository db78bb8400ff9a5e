with delivered as (

    {{ leadlag.conform('web', 'page_view', raw='viewed_at') }}

),

located as (

    select
        page_view_id,
        visitor_id,
        viewed_at,
        viewed_at_raw,
        received_at,
        page_url,
        user_agent,
        loaded_at,
        {{ leadlag.url_host('page_url') }} as page_host,
        {{ leadlag.url_address('page_url') }} as page_address,
        {{ leadlag.url_query('page_url') }} as page_query,
        {{ leadlag.url_host('referrer_url') }} as referrer_host
    from delivered

),

parsed as (

    select
        page_view_id,
        visitor_id,
        viewed_at,
        viewed_at_raw,
        received_at,
        page_url,
        user_agent,
        loaded_at,
        {{ leadlag.url_domain('page_host') }} as page_domain,
        {{ leadlag.url_path('page_address') }} as landing_path,
        {{ leadlag.url_domain('referrer_host') }} as referrer_domain,
        {{ leadlag.url_campaign_columns('page_query') }}
    from located

)

select
    page_view_id,
    visitor_id,
    viewed_at,
    viewed_at_raw,
    received_at,
    page_url,
    page_domain,
    landing_path,
    {{ leadlag.decoded_campaign_columns() }},
    referrer_domain,
    user_agent,
    loaded_at
from parsed
