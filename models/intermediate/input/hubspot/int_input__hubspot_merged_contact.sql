with merge as (

    select
        merged_contact_id as contact_id,
        min(merged_at) as merged_at,
        max(loaded_at) as loaded_at
    from {{ ref('int_input__hubspot_merge') }}
    group by merged_contact_id

),

-- Contacts that a merge has removed from the contact table.
gone as (

    select
        merge.contact_id,
        merge.merged_at,
        merge.loaded_at
    from merge
    left join {{ ref('stg_hubspot__contact') }} as contact
        on merge.contact_id = contact.contact_id
    where contact.contact_id is null

),

mention as (

    select
        gone.contact_id,
        history.changed_at as mentioned_at
    from {{ ref('stg_hubspot__contact_property_history') }} as history
    inner join gone
        on history.contact_id = gone.contact_id
    union all
    select
        gone.contact_id,
        submission.submitted_at as mentioned_at
    from {{ ref('stg_hubspot__contact_form_submission') }} as submission
    inner join gone
        on submission.contact_id = gone.contact_id
    union all
    select
        gone.contact_id,
        gone.merged_at as mentioned_at
    from {{ ref('stg_hubspot__deal_contact') }} as deal_contact
    inner join gone
        on deal_contact.contact_id = gone.contact_id
    union all
    select
        gone.contact_id,
        gone.merged_at as mentioned_at
    from {{ ref('stg_hubspot__engagement_contact') }} as engagement_contact
    inner join gone
        on engagement_contact.contact_id = gone.contact_id

)

select
    gone.contact_id,
    least(min(mention.mentioned_at), min(gone.merged_at)) as created_at,
    max(gone.loaded_at) as loaded_at
from gone
inner join mention
    on gone.contact_id = mention.contact_id
group by gone.contact_id
