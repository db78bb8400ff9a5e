{{ config(materialized='view') }}

select entry.*
from {{ ref('int_conversion__entry') }} as entry
left join {{ ref('conversion_definition') }} as closer
    on
        entry.conversion_definition = closer.conversion_definition
        and closer.scope_region in ('*', entry.region)
        and closer.scope_product_line in ('*', entry.product_line)
        and entry.entered_date >= closer.valid_from
        and (entry.entered_date < closer.valid_to or closer.valid_to is null)
        and case when closer.scope_region = '*' then 0 else 2 end + case when closer.scope_product_line = '*' then 0 else 1 end
        > case when entry.scope_region = '*' then 0 else 2 end + case when entry.scope_product_line = '*' then 0 else 1 end
where closer.conversion_definition is null
