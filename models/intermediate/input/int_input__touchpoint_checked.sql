{{ leadlag.incremental('changed_rows') }}
{%- set utm_parameters = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_content', 'utm_term'] -%}
{%- set click_parameters = ['gclid', 'msclkid', 'fbclid', 'li_fat_id'] -%}
{%- set delivered_as_is = [
    'touchpoint_key', 'source_system', 'source_table', 'source_id', 'occurred_at', 'occurred_at_raw', 'recorded_at',
    'loaded_at', 'event_sequence', 'record_type', 'record_source_id', 'email', 'visitor_id', 'touchpoint_type', 'interaction',
    'campaign_source_id', 'campaign_name', 'user_agent', 'self_reported_source', 'known_at', 'row_digest', 'version_number',
] -%}

{% call leadlag.checked_input(
    'touchpoint',
    texts=['utm_source', 'utm_medium'],
    wide=true,
    personal=['email', 'page_url', 'referrer_url']
) %}
located as (

    select
        versioned.*,
        {{ leadlag.url_host('page_url') }} as page_url_host,
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
        {{ leadlag.url_domain('page_url_host') }} as page_domain,
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
        end as page_click_id_type,
        -- Tags that nobody counts, or that say two things.
        case
            when position('utm_' in lower(page_url)) = 0 then null
            when position('amp;utm_' in lower(page_query)) > 0 then 'escaped_separator'
            when position('?utm_' in lower(page_query)) > 0 then 'second_question_mark'
            when position('utm_' in lower(split_part(page_url, '#', 2))) > 0 then 'in_fragment'
            {%- for name in utm_parameters %}
            when position('&{{ name }}=' in lower(page_query)) > 0 and position('&{{ name }}=' in page_query) = 0 then 'parameter_case'
            {%- endfor %}
            {%- for name in utm_parameters %}
            when length(page_query) - length(replace(page_query, '&{{ name }}=', '')) > {{ name | length + 2 }} then 'repeated_parameter'
            {%- endfor %}
        end as page_utm_fault
    from located

),

decoded as (

    select
        parsed.*,
        {%- for name in utm_parameters %}
        {{ leadlag.percent_decoded('page_' ~ name) }} as {{ name }}_written{{ ',' if not loop.last }}
        {%- endfor %}
    from parsed

),

-- What a connector delivers itself wins. A referrer on the page's own domain is navigation.
filled as (

    select
        {{ delivered_as_is | join(', ') }},
        coalesce(utm_source, lower(utm_source_written)) as utm_source,
        coalesce(utm_medium, lower(utm_medium_written)) as utm_medium,
        coalesce(utm_source_raw, utm_source, utm_source_written) as utm_source_raw,
        coalesce(utm_medium_raw, utm_medium, utm_medium_written) as utm_medium_raw,
        coalesce(
            utm_fault, page_utm_fault,
            case when position('%' in concat_ws('', utm_source_written, utm_medium_written, utm_campaign_written)) > 0
                then 'broken_encoding' end
        ) as utm_fault,
        coalesce(utm_campaign, utm_campaign_written) as utm_campaign,
        coalesce(utm_content, utm_content_written) as utm_content,
        coalesce(utm_term, utm_term_written) as utm_term,
        coalesce(click_id, page_click_id) as click_id,
        coalesce(click_id_type, page_click_id_type) as click_id_type,
        coalesce(
            referrer_domain,
            case when page_referrer_domain <> page_domain or page_domain is null then page_referrer_domain end
        ) as referrer_domain,
        coalesce(landing_path, page_path) as landing_path,
        coalesce(page_host, nullif(page_url_host, '')) as page_host
    from decoded

),
{%- endcall %}
