with -- The lowest id; padded with zeros the order of texts is that of numbers.
deal_contact as (

    select
        deal_id,
        substr(min(lpad(contact_id, 20, '0') || contact_id), 21) as contact_id
    from {{ ref('stg_hubspot__deal_contact') }}
    group by deal_id

),

-- The primary company if there is one, else the lowest id.
deal_company as (

    select
        deal_id,
        substr(
            min(case when association_type_id = '5' then '0' else '1' end || lpad(company_id, 20, '0') || company_id), 22
        ) as company_id
    from {{ ref('stg_hubspot__deal_company') }}
    group by deal_id

),

merged_deal as (

    select distinct merged_deal_id from {{ ref('stg_hubspot__merged_deal') }}

)

select
    'hubspot' as source_system,
    'deal' as source_table,
    deal.deal_id as source_id,
    deal.created_at as occurred_at,
    deal.created_at_raw as occurred_at_raw,
    deal.created_at as recorded_at,
    deal.loaded_at,
    case when deal_contact.contact_id is not null then 'contact' end as record_type,
    deal_contact.contact_id as record_source_id,
    deal_company.company_id as account_source_id,
    deal.owner_id as owner_source_id,
    deal.deal_type as opportunity_type,
    deal.product_line,
    deal.region,
    deal.lead_source,
    deal.amount,
    deal.currency_code,
    deal.close_date,
    coalesce(stage.stage_label, deal.stage_id) as stage_raw,
    stage.is_closed,
    stage.is_won,
    deal.loss_reason,
    case when deal.salesforce_opportunity_id is not null then 'salesforce' end as mirrored_source_system,
    deal.salesforce_opportunity_id as mirrored_source_id,
    coalesce(deal.is_deleted, false) or merged_deal.merged_deal_id is not null as is_deleted
from {{ ref('stg_hubspot__deal') }} as deal
left join {{ ref('int_input__hubspot_stage_flag') }} as stage
    on deal.stage_id = stage.stage_id
left join deal_contact
    on deal.deal_id = deal_contact.deal_id
left join deal_company
    on deal.deal_id = deal_company.deal_id
left join merged_deal
    on deal.deal_id = merged_deal.merged_deal_id
