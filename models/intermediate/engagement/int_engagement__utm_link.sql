{%- set parameters = ['utm_source', 'utm_medium', 'utm_campaign'] -%}

with link as (

    select
        utm_source_raw,
        utm_medium_raw,
        utm_campaign as utm_campaign_raw,
        utm_fault,
        {{ leadlag.key(['utm_source_raw', 'utm_medium_raw', 'utm_campaign', 'utm_fault']) }} as link_key,
        count(*) as touchpoint_count,
        min(occurred_at) as first_touch_at,
        max(occurred_at) as last_touch_at
    from {{ ref('int_input__touchpoint') }}
    where coalesce(utm_source_raw, utm_medium_raw, utm_campaign, utm_fault) is not null
    group by utm_source_raw, utm_medium_raw, utm_campaign, utm_fault

),

read as (

    select
        link.*,
        {%- for parameter in parameters %}
        {{ parameter }}_alias.standard is not null as has_{{ parameter }}_alias,
        {%- endfor %}
        coalesce(utm_source_alias.standard, lower(trim(link.utm_source_raw))) as utm_source,
        coalesce(utm_medium_alias.standard, lower(trim(link.utm_medium_raw))) as utm_medium,
        coalesce(utm_campaign_alias.standard, {{ leadlag.campaign_slug('link.utm_campaign_raw') }}) as utm_campaign
    from link
    {%- for parameter in parameters %}
    left join {{ ref('utm_alias') }} as {{ parameter }}_alias
        on {{ parameter }}_alias.parameter = '{{ parameter }}' and lower(trim(link.{{ parameter }}_raw)) = {{ parameter }}_alias.alias
    {%- endfor %}

)

select
    read.*,
    taxonomy.utm_medium is not null as is_utm_medium_allowed,
    coalesce(read.utm_medium_raw = taxonomy.utm_medium, false) as is_utm_medium_standard,
    {%- for parameter in ['utm_source', 'utm_campaign'] %}
    {{ leadlag.matches('read.' ~ parameter, 'coalesce(taxonomy.' ~ parameter ~ ', otherwise.' ~ parameter ~ ')') }}
        as is_{{ parameter }}_allowed,
    {{ leadlag.matches('read.' ~ parameter ~ '_raw', 'coalesce(taxonomy.' ~ parameter ~ ', otherwise.' ~ parameter ~ ')') }}
    and not read.has_{{ parameter }}_alias as is_{{ parameter }}_standard,
    {%- endfor %}
    coalesce(taxonomy.owner, otherwise.owner) as owner
from read
left join {{ ref('utm_taxonomy') }} as taxonomy on read.utm_medium = taxonomy.utm_medium and taxonomy.utm_medium <> '*'
left join {{ ref('utm_taxonomy') }} as otherwise on otherwise.utm_medium = '*'
