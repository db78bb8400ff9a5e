with delivered as (

    {{ leadlag.conform('hubspot', 'contact_form_submission', raw='submitted_at') }}

)

select
    conversion_id,
    contact_id,
    form_id,
    submitted_at,
    submitted_at_raw,
    page_url,
    loaded_at
from delivered
