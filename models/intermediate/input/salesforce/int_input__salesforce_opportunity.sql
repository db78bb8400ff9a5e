with -- The lead whose conversion made the opportunity; the earliest when several were converted into one.
converted_lead as (

    select
        converted_opportunity_id as opportunity_id,
        lead_id,
        row_number() over (
            partition by converted_opportunity_id
            order by converted_at nulls last, {{ leadlag.byte_order('lead_id') }}
        ) as preference
    from {{ ref('stg_salesforce__lead') }}
    where converted_opportunity_id is not null and coalesce(is_converted, true)

),

contact_role as (

    select
        opportunity_id,
        contact_id,
        row_number() over (
            partition by opportunity_id
            order by
                case when is_primary then 0 else 1 end,
                created_at nulls last,
                {{ leadlag.byte_order('role_id') }},
                {{ leadlag.byte_order('contact_id') }}
        ) as preference
    from {{ ref('stg_salesforce__opportunity_contact_role') }}
    where contact_id is not null and not coalesce(is_deleted, false)

)

select
    'salesforce' as source_system,
    'opportunity' as source_table,
    opportunity.opportunity_id as source_id,
    opportunity.created_at as occurred_at,
    opportunity.created_at_raw as occurred_at_raw,
    opportunity.created_at as recorded_at,
    opportunity.loaded_at,
    case
        when converted_lead.lead_id is not null then 'lead'
        when contact_role.contact_id is not null then 'contact'
    end as record_type,
    coalesce(converted_lead.lead_id, contact_role.contact_id) as record_source_id,
    opportunity.account_id as account_source_id,
    opportunity.campaign_id as campaign_source_id,
    opportunity.owner_id as owner_source_id,
    opportunity.opportunity_type,
    opportunity.product_line,
    opportunity.region,
    opportunity.lead_source,
    opportunity.amount,
    opportunity.currency_code,
    opportunity.close_date,
    opportunity.stage_name as stage_raw,
    opportunity.is_closed,
    opportunity.is_won,
    opportunity.loss_reason,
    opportunity.is_deleted
from {{ ref('stg_salesforce__opportunity') }} as opportunity
left join converted_lead
    on opportunity.opportunity_id = converted_lead.opportunity_id and converted_lead.preference = 1
left join contact_role
    on opportunity.opportunity_id = contact_role.opportunity_id and contact_role.preference = 1
