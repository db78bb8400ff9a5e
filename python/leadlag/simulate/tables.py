"""Columns and types of every table the simulator writes, in the loaders' spelling.

Salesforce and HubSpot follow the Fivetran schemas; columns that end `_c` (Salesforce) or that HubSpot does not know are
custom fields of the fictional company. Times are UTC without a zone unless the description says text.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_TYPES = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "time": pa.timestamp("us"),
    "date": pa.date32(),
}

# "column type, column type, ..." by "schema.table"; _fivetran_synced is added to Salesforce and HubSpot tables.
_COLUMNS = {
    "salesforce.lead": """id text, first_name text, last_name text, name text, email text, phone text, company text,
        title text, website text, country text, country_code text, city text, industry text, number_of_employees bigint,
        lead_source text, status text, owner_id text, is_converted bool, converted_date date, converted_contact_id text,
        converted_account_id text, converted_opportunity_id text, master_record_id text, is_deleted bool,
        last_activity_date date, created_date time, created_by_id text, last_modified_date time, system_modstamp time,
        region_c text, product_line_c text, utm_source_c text, utm_medium_c text, utm_campaign_c text, gclid_c text,
        ad_consent_c text""",
    "salesforce.lead_history": """id text, lead_id text, field text, old_value text, new_value text, data_type text,
        created_date time, created_by_id text, is_deleted bool""",
    "salesforce.contact": """id text, account_id text, first_name text, last_name text, name text, email text, phone text,
        title text, mailing_country text, lead_source text, owner_id text, master_record_id text, is_deleted bool,
        created_date time, created_by_id text, last_modified_date time, system_modstamp time, region_c text,
        product_line_c text""",
    "salesforce.account": """id text, name text, website text, industry text, number_of_employees bigint, type text,
        billing_country text, parent_id text, owner_id text, master_record_id text, is_deleted bool, created_date time,
        last_modified_date time, system_modstamp time, region_c text""",
    "salesforce.opportunity": """id text, account_id text, campaign_id text, owner_id text, name text, type text,
        amount double, currency_iso_code text, probability double, stage_name text, forecast_category text,
        lead_source text, close_date date, is_closed bool, is_won bool, is_deleted bool, created_date time,
        created_by_id text, last_modified_date time, system_modstamp time, region_c text, product_line_c text,
        loss_reason_c text, competitor_c text""",
    "salesforce.opportunity_stage": """id text, api_name text, master_label text, sort_order bigint,
        default_probability double, forecast_category text, forecast_category_name text, is_active bool, is_closed bool,
        is_won bool""",
    "salesforce.opportunity_history": """id text, opportunity_id text, stage_name text, amount double,
        expected_revenue double, probability double, forecast_category text, close_date date, prev_amount double,
        prev_close_date date, currency_iso_code text, created_date time, created_by_id text, is_deleted bool,
        system_modstamp time""",
    "salesforce.opportunity_field_history": """id text, opportunity_id text, field text, old_value text, new_value text,
        data_type text, created_date time, created_by_id text, is_deleted bool""",
    "salesforce.opportunity_contact_role": """id text, opportunity_id text, contact_id text, role text, is_primary bool,
        created_date time, is_deleted bool""",
    "salesforce.task": """id text, who_id text, what_id text, account_id text, owner_id text, type text,
        task_subtype text, subject text, status text, is_closed bool, activity_date date, completed_date_time time,
        call_disposition text, call_type text, call_duration_in_seconds bigint, created_date time, is_deleted bool""",
    "salesforce.event": """id text, who_id text, what_id text, account_id text, owner_id text, type text, subject text,
        activity_date_time time, start_date_time time, end_date_time time, duration_in_minutes bigint,
        created_date time, is_deleted bool""",
    "salesforce.user": """id text, name text, email text, manager_id text, user_role_id text, is_active bool,
        time_zone_sid_key text, created_date time""",
    "salesforce.user_role": """id text, name text, parent_role_id text""",
    "salesforce.campaign": """id text, name text, type text, status text, parent_id text, start_date date, end_date date,
        budgeted_cost double, actual_cost double, currency_iso_code text, is_active bool, is_deleted bool,
        created_date time""",
    "salesforce.campaign_member": """id text, campaign_id text, lead_id text, contact_id text, lead_or_contact_id text,
        status text, has_responded bool, first_responded_date date, created_date time, is_deleted bool""",
    "hubspot.contact": """id bigint, property_email text, property_firstname text, property_lastname text,
        property_phone text, property_company text, property_jobtitle text, property_country text,
        property_industry text, property_numemployees bigint, property_createdate time, property_lastmodifieddate time,
        property_lifecyclestage text, property_hs_lead_status text, property_hs_lifecyclestage_lead_date time,
        property_hs_lifecyclestage_marketingqualifiedlead_date time,
        property_hs_lifecyclestage_salesqualifiedlead_date time, property_hs_lifecyclestage_opportunity_date time,
        property_hs_lifecyclestage_customer_date time, property_hs_analytics_source text,
        property_hs_analytics_source_data_1 text, property_hs_analytics_source_data_2 text,
        property_hs_google_click_id text,
        property_hubspot_owner_id bigint, property_associatedcompanyid bigint, property_hs_merged_object_ids text,
        property_salesforceleadid text, property_salesforcecontactid text, property_region text,
        property_product_line text, property_nurture_variant text, property_ad_consent text, _fivetran_deleted bool""",
    "hubspot.contact_property_history": """contact_id bigint, name text, value text, timestamp time, source text,
        source_id text""",
    "hubspot.company": """id bigint, property_name text, property_domain text, property_industry text,
        property_country text, property_numberofemployees bigint, property_createdate time, is_deleted bool""",
    "hubspot.deal": """deal_id bigint, deal_pipeline_id text, deal_pipeline_stage_id text, owner_id bigint,
        property_dealname text, property_dealtype text, property_amount double, property_deal_currency_code text,
        property_createdate time, property_closedate time, property_closed_lost_reason text,
        property_hs_salesforceopportunityid text, property_region text, property_product_line text,
        property_hs_analytics_source text, is_deleted bool""",
    "hubspot.deal_stage": """deal_id bigint, value text, date_entered time, source text, source_id text,
        _fivetran_start time, _fivetran_end time, _fivetran_active bool""",
    "hubspot.deal_property_history": """deal_id bigint, name text, value text, timestamp time, source text,
        source_id text""",
    "hubspot.deal_pipeline": """pipeline_id text, label text, active bool, display_order bigint, created_at time,
        updated_at time, _fivetran_deleted bool""",
    "hubspot.deal_pipeline_stage": """stage_id text, pipeline_id text, label text, display_order bigint,
        probability double, is_closed bool, closed_won bool, active bool, created_at time, updated_at time,
        _fivetran_deleted bool""",
    "hubspot.deal_contact": """deal_id bigint, contact_id bigint, type_id bigint, category text""",
    "hubspot.deal_company": """deal_id bigint, company_id bigint, type_id bigint, category text""",
    "hubspot.merged_deal": """deal_id bigint, merged_deal_id bigint""",
    "hubspot.engagement": """id bigint, type text, portal_id bigint""",
    "hubspot.engagement_call": """engagement_id bigint, type text, property_hs_createdate time,
        property_hs_timestamp time, property_hubspot_owner_id bigint, property_hs_call_direction text,
        property_hs_call_disposition text, property_hs_call_duration bigint, property_hs_call_status text,
        _fivetran_deleted bool""",
    "hubspot.engagement_email": """engagement_id bigint, type text, property_hs_createdate time,
        property_hs_timestamp time, property_hubspot_owner_id bigint, property_hs_email_direction text,
        property_hs_email_subject text, property_hs_email_status text, _fivetran_deleted bool""",
    "hubspot.engagement_meeting": """engagement_id bigint, type text, property_hs_createdate time,
        property_hs_timestamp time, property_hubspot_owner_id bigint, property_hs_meeting_start_time time,
        property_hs_meeting_end_time time, property_hs_meeting_outcome text, property_hs_meeting_title text,
        _fivetran_deleted bool""",
    "hubspot.engagement_task": """engagement_id bigint, type text, property_hs_createdate time,
        property_hs_timestamp time, property_hubspot_owner_id bigint, property_hs_task_subject text,
        property_hs_task_status text, property_hs_task_type text, _fivetran_deleted bool""",
    "hubspot.engagement_contact": """engagement_id bigint, contact_id bigint, engagement_type text, type_id bigint,
        category text""",
    "hubspot.engagement_company": """engagement_id bigint, company_id bigint, engagement_type text, type_id bigint,
        category text""",
    "hubspot.engagement_deal": """engagement_id bigint, deal_id bigint, engagement_type text, type_id bigint,
        category text""",
    "hubspot.email_campaign": """id bigint, name text, subject text, type text, sub_type text, app_id bigint,
        app_name text, content_id bigint, num_included bigint, num_queued bigint""",
    "hubspot.email_event": """id text, type text, created time, recipient text, email_campaign_id bigint,
        sent_by_id text, sent_by_created time, filtered_event bool, app_id bigint, portal_id bigint""",
    "hubspot.email_event_sent": """id text, "from" text, reply_to text, subject text""",
    "hubspot.email_event_open": """id text, browser text, location text, user_agent text, duration bigint""",
    "hubspot.email_event_click": """id text, url text, referer text, browser text, location text, user_agent text""",
    "hubspot.form": """guid text, name text, form_type text, action text, method text, portal_id bigint,
        created_at time, updated_at time""",
    "hubspot.contact_form_submission": """contact_id bigint, form_id text, conversion_id text, timestamp time,
        page_id text, page_url text, title text, portal_id bigint""",
    "hubspot.contact_merge_audit": """canonical_vid bigint, contact_id bigint, vid_to_merge bigint, timestamp time,
        entity_id text, user_id bigint, num_properties_moved bigint, first_name text, last_name text""",
    "hubspot.owner": """owner_id bigint, email text, first_name text, last_name text, type text, portal_id bigint,
        active_user_id bigint, created_at time, updated_at time""",
    # viewed_at is text with an offset: the two site servers write their local time.
    "web.page_view": """page_view_id text, visitor_id text, session_id text, site text, viewed_at text,
        received_at time, page_url text, referrer_url text, user_agent text, _loaded_at time""",
    "web.identify": """identify_id text, visitor_id text, hubspot_contact_id bigint, email text, identified_at time,
        received_at time, _loaded_at time""",
    "ads.campaign": """platform text, account_id text, account_timezone text, campaign_id text, campaign_name text,
        status text, currency_code text, start_date date, created_at time, _loaded_at time""",
    # date is the day in the account's time zone; amounts are in the account's currency.
    "ads.spend_daily": """platform text, account_id text, date date, campaign_id text, campaign_name text, spend double,
        currency_code text, clicks bigint, impressions bigint, reported_at time, _loaded_at time""",
    # occurred_at is ISO 8601 text in UTC, as the product's log writes it.
    "product.event": """event_id text, user_email text, account_domain text, event_name text, occurred_at text,
        received_at time, quantity bigint, _loaded_at time""",
    "truth.person": """person_id bigint, email text, full_name text, region text, country text, product_line text,
        lead_source text, kind text, interest double, nurture_variant text, is_trial bool, first_recorded_at time""",
    "truth.record": """source_system text, record_type text, source_id text, person_id bigint, created_at time""",
    "truth.journey": """person_id bigint, journey_number bigint, entered_at time, inquiry_at time, mql_at time,
        sal_at time, sql_at time, opportunity_at time, won_at time, outcome text, ended_at time""",
    "truth.reentry": """person_id bigint, terminal_stage text, ended_at time, returned_at time, min_gap_days bigint,
        gap_seconds bigint, starts_journey bool""",
    "truth.defect": """defect_class text, connector text, source_table text, source_id text, expected text,
        person_id bigint, recorded_at time""",
    "truth.parameters": """name text, value text""",
}


def _schema(table: str, columns: str) -> Any:
    listed = columns.replace("\n", " ")
    if table.startswith(("salesforce.", "hubspot.")):
        listed += ", _fivetran_synced time"
    fields = []
    for part in listed.split(","):
        name, kind = part.split()
        fields.append(pa.field(name.strip('"'), _TYPES[kind]))
    return pa.schema(fields)


SCHEMAS: dict[str, Any] = {table: _schema(table, columns) for table, columns in _COLUMNS.items()}


def build(table: str, rows: int, columns: dict[str, Any]) -> Any:
    """Arrow table with all columns of `table`; columns that are not given are null.

    Raises:
        KeyError: a column that the table does not have.
    """
    schema = SCHEMAS[table]
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise KeyError(f"{table} has no column {sorted(unknown)}")
    arrays = []
    for field in schema:
        value = columns.get(field.name)
        arrays.append(pa.nulls(rows, field.type) if value is None else value)
    return pa.Table.from_arrays(arrays, schema=schema)
