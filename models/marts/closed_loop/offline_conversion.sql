select
    {{ leadlag.key(['exportable.platform', 'exportable.milestone', 'exportable.journey_key']) }} as offline_conversion_key,
    exportable.platform,
    exportable.milestone,
    exportable.conversion_name,
    exportable.journey_key,
    exportable.person_key,
    exportable.touchpoint_key,
    touch.click_id_type,
    touch.click_id,
    exportable.clicked_at,
    exportable.reached_at,
    exportable.conversion_value,
    case when exportable.conversion_value is not null then '{{ var("base_currency", "EUR") }}' end as currency_code,
    exportable.ad_consent,
    exportable.exclusion,
    exportable.exclusion is null as is_exportable
from {{ ref('int_closed_loop__exportable') }} as exportable
inner join {{ ref('touchpoint_click') }} as touch on exportable.touchpoint_key = touch.touchpoint_key
