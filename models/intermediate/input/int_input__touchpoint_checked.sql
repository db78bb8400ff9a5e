{{ leadlag.incremental('changed_rows') }}
{%- set utm_parameters = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_content', 'utm_term'] -%}
{%- set click_parameters = ['gclid', 'msclkid', 'fbclid', 'li_fat_id'] -%}

{% call leadlag.checked_input(
    'touchpoint',
    texts=['utm_source', 'utm_medium'],
    wide=true,
    personal=['email', 'page_url', 'referrer_url']
) %}
located as (

    select
        versioned.*,
        {{ leadlag.url_host('page_url') }} as page_host,
        {{ leadlag.url_host('referrer_url') }} as referrer_host,
        -- The URL without query and fragment.
        case
            when position('?' in page_url) > 0 or position('#' in page_url) > 0
                then split_part(split_part(page_url, '#', 1), '?', 1)
            else page_url
        end as page_address,
        case
            when position('?' in page_url) > 0
                then '&' || split_part(substr(page_url, position('?' in page_url) + 1), '#', 1)
        end as page_query
    from versioned

),

parsed as (

    select
        located.*,
        {{ leadlag.url_domain('page_host') }} as page_domain,
        {{ leadlag.url_domain('referrer_host') }} as page_referrer_domain,
        -- A host has no slash, so the first one after the eighth character (https://) begins the path.
        case
            when position('://' in page_address) > 0
                then coalesce(
                    nullif(trim(trailing '/' from substr(page_address, 8 + position('/' in (substr(page_address, 9) || '/')))), ''),
                    '/'
                )
            else nullif(page_address, '')
        end as page_path,
        {%- for name in utm_parameters %}
        {{ leadlag.url_parameter('page_query', name) }} as page_{{ name }},
        {%- endfor %}
        case
            {%- for name in click_parameters %}
            when position('&{{ name }}=' in page_query) > 0 then {{ leadlag.url_parameter('page_query', name) }}
            {%- endfor %}
        end as page_click_id,
        case
            {%- for name in click_parameters %}
            when position('&{{ name }}=' in page_query) > 0 then '{{ name }}'
            {%- endfor %}
        end as page_click_id_type
    from located

),

-- What a connector delivers itself wins. A referrer on the page's own domain is navigation.
filled as (

    select
        touchpoint_key,
        source_system,
        source_table,
        source_id,
        occurred_at,
        occurred_at_raw,
        recorded_at,
        loaded_at,
        event_sequence,
        record_type,
        record_source_id,
        email,
        visitor_id,
        touchpoint_type,
        interaction,
        campaign_source_id,
        campaign_name,
        coalesce(utm_source, lower({{ leadlag.percent_decoded('page_utm_source') }})) as utm_source,
        coalesce(utm_medium, lower({{ leadlag.percent_decoded('page_utm_medium') }})) as utm_medium,
        coalesce(utm_campaign, {{ leadlag.percent_decoded('page_utm_campaign') }}) as utm_campaign,
        coalesce(utm_content, {{ leadlag.percent_decoded('page_utm_content') }}) as utm_content,
        coalesce(utm_term, {{ leadlag.percent_decoded('page_utm_term') }}) as utm_term,
        coalesce(click_id, page_click_id) as click_id,
        coalesce(click_id_type, page_click_id_type) as click_id_type,
        coalesce(
            referrer_domain,
            case when page_referrer_domain <> page_domain or page_domain is null then page_referrer_domain end
        ) as referrer_domain,
        coalesce(landing_path, page_path) as landing_path,
        known_at,
        row_digest,
        version_number
    from parsed

),
{%- endcall %}
