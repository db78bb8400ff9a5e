with delivered as (

    select
        checked.lead_record_key,
        checked.source_system,
        checked.record_type,
        checked.source_id,
        checked.email_key,
        checked.quarantine_rule,
        checked.occurred_at,
        coalesce(checked.occurred_at, checked.known_at) as delivered_at,
        lower(trim(checked.lead_source)) as label,
        coalesce(source_map.lead_source, lower(trim(checked.lead_source))) as lead_source
    from {{ ref('int_input__lead_record_checked') }} as checked
    cross join {{ ref('int_input__clock') }} as clock
    left join {{ ref('lead_source_map') }} as source_map
        on lower(trim(checked.lead_source)) = lower(trim(source_map.lead_source_raw))
    -- What a loader repeats is not delivered twice by a vendor.
    where
        coalesce(checked.quarantine_rule, '') <> 'duplicate_row'
        and coalesce(checked.known_at, clock.as_of) <= clock.as_of

),

-- Responses to the campaign that a list was imported into.
listed as (

    select
        touchpoint.lead_record_key,
        min(vendor.vendor) as vendor
    from {{ ref('lead_vendor') }} as vendor
    inner join {{ ref('int_input__campaign') }} as campaign
        on lower(trim(vendor.match_value)) = lower(trim(campaign.campaign_name))
    inner join {{ ref('int_input__touchpoint') }} as touchpoint
        on campaign.source_system = touchpoint.source_system and campaign.source_id = touchpoint.campaign_source_id
    where vendor.match_type = 'campaign_name' and touchpoint.lead_record_key is not null
    group by touchpoint.lead_record_key

),

cost as (

    select
        vendor.vendor,
        max(vendor.cost_per_lead) as cost_per_lead,
        max(vendor.currency_code) as currency_code
    from {{ ref('lead_vendor') }} as vendor
    group by vendor.vendor
    having min(vendor.cost_per_lead) = max(vendor.cost_per_lead) and min(vendor.currency_code) = max(vendor.currency_code)

),

vended as (

    select
        delivered.*,
        coalesce(labelled.vendor, listed.vendor) as vendor,
        person.person_key,
        {{ leadlag.business_date('delivered.delivered_at') }} as delivered_date,
        -- The person's earlier record of the same kind in the same system; a copy in another system is no duplicate.
        person.person_key is not null and row_number() over (
            partition by person.person_key, delivered.source_system, delivered.record_type
            order by delivered.occurred_at, delivered.lead_record_key
        ) > 1 as is_duplicate
    from delivered
    left join {{ ref('lead_vendor') }} as labelled
        on labelled.match_type = 'lead_source_label' and delivered.label = lower(trim(labelled.match_value))
    left join listed on delivered.lead_record_key = listed.lead_record_key
    left join {{ ref('int_identity__lead_record_person') }} as person
        on case when delivered.quarantine_rule is null then delivered.lead_record_key end = person.lead_record_key

)

select
    vended.lead_record_key,
    vended.source_system,
    vended.source_id,
    vended.person_key,
    vended.lead_source,
    vended.vendor,
    vended.delivered_at,
    vended.delivered_date,
    vended.is_duplicate,
    coalesce(vended.quarantine_rule, 'deleted_in_source') <> 'deleted_in_source' as is_invalid,
    coalesce(vended.quarantine_rule, '') = 'deleted_in_source' as is_deleted,
    vended.email_key is null as has_no_email,
    {{ leadlag.double('cost.cost_per_lead * rate.rate_to_base') }} as cost_base
from vended
left join cost on vended.vendor = cost.vendor
left join {{ ref('int_engagement__currency_rate') }} as rate
    on
        cost.currency_code = rate.currency_code
        and vended.delivered_date >= rate.valid_from
        and vended.delivered_date < rate.valid_to
