with campaign as (

    select
        campaign_id,
        max(campaign_name) as campaign_name
    from {{ ref('stg_salesforce__campaign') }}
    group by campaign_id

)

select
    'salesforce' as source_system,
    'campaign_member' as source_table,
    member.campaign_member_id as source_id,
    coalesce(member.first_responded_at, member.created_at) as occurred_at,
    member.created_at_raw as occurred_at_raw,
    greatest(coalesce(member.first_responded_at, member.created_at), member.created_at) as recorded_at,
    member.loaded_at,
    case
        when member.lead_id is not null then 'lead'
        when member.contact_id is not null then 'contact'
    end as record_type,
    coalesce(member.lead_id, member.contact_id) as record_source_id,
    'campaign' as touchpoint_type,
    member.member_status as interaction,
    member.campaign_id as campaign_source_id,
    campaign.campaign_name
from {{ ref('stg_salesforce__campaign_member') }} as member
left join campaign
    on member.campaign_id = campaign.campaign_id
where member.has_responded and not coalesce(member.is_deleted, false)
