"""The HubSpot connector on planted cases: one rule a test."""

from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from conftest import RunDbt
from connector_build import CRM, T0, Built, at, build, builder, load, rows

Build = Callable[..., Built]

HISTORY = "contact_id name value timestamp"


@pytest.fixture(name="build")
def _build(run_dbt: RunDbt, warehouse: Path) -> Build:
    return builder(run_dbt, warehouse, CRM)


def contact(contact_id: int, **properties: Any) -> dict[str, Any]:
    named = {f"property_{name}": value for name, value in properties.items()}
    return {"id": contact_id, "property_createdate": T0, **named}


def deal(deal_id: int, stage: str = "s1", **columns: Any) -> dict[str, Any]:
    return {"deal_id": deal_id, "property_createdate": at(10), "deal_pipeline_stage_id": stage, **columns}


def test_statuses_are_the_values_of_two_properties(build: Build) -> None:
    tables = {
        "hubspot.contact": [contact(1, hs_lifecyclestage_lead_date=at(77))],
        "hubspot.contact_property_history": rows(
            HISTORY,
            (1, "lifecyclestage", "lead", at(1)),
            (1, "lifecyclestage", "", at(2)),
            (1, "lifecyclestage", None, at(2.5)),
            (1, "lifecyclestage", "lead", at(3)),
            (1, "hs_lead_status", "NEW", at(3)),
            (1, "email", "a@b.example", at(3)),
        ),
    }
    built = build(tables, "int_input__hubspot_status_event")
    columns = "status_field, status_raw, occurred_at, recorded_at"
    assert built.rows(f"select {columns} from int_input__hubspot_status_event order by 3, 1") == [
        ("lifecyclestage", "lead", at(1), at(1)),
        ("hs_lead_status", "NEW", at(3), at(3)),
        ("lifecyclestage", "lead", at(3), at(3)),
    ]
    microseconds = int(at(1).replace(tzinfo=UTC).timestamp()) * 1_000_000
    key = built.value(f"select source_id from int_input__hubspot_status_event where occurred_at = '{at(1)}'")
    assert key == f"1:lifecyclestage:{microseconds}", "the same text on every engine"


def test_without_history_there_is_one_date_a_stage(build: Build) -> None:
    dates = {"hs_lifecyclestage_lead_date": at(1), "hs_lifecyclestage_salesqualifiedlead_date": at(4)}
    contacts = [contact(1, lifecyclestage="salesqualifiedlead", **dates), contact(2, lifecyclestage="lead"), contact(3)]
    built = build({"hubspot.contact": contacts}, "int_input__hubspot_status_event")
    query = "select record_source_id, status_raw, occurred_at from int_input__hubspot_status_event order by 1, 3"
    assert built.rows(query) == [("1", "lead", at(1)), ("1", "salesqualifiedlead", at(4)), ("2", "lead", T0)]


def test_contact_that_was_merged_away_exists_while_something_refers_to_it(build: Build) -> None:
    tables = {
        # 2 went into 3 and 3 into 4; the property of 4 lists 2 as well. Of 9 only the property knows.
        "hubspot.contact": [contact(4, hs_merged_object_ids="2; 3;9"), contact(5)],
        "hubspot.contact_merge_audit": rows(
            "vid_to_merge canonical_vid timestamp", (2, 3, at(20)), (3, 4, at(30)), (8, 4, at(35))
        ),
        "hubspot.contact_property_history": rows(
            HISTORY,
            (2, "lifecyclestage", "lead", at(-50)),
            (2, "firstname", "x", at(-51)),
            (4, "lifecyclestage", "lead", at(1)),
        ),
        "hubspot.engagement_contact": rows("engagement_id contact_id", (1, 9)),
    }
    built = build(tables, "int_input__hubspot_identity_link", "int_input__hubspot_lead_record")
    links = "select from_source_id, to_source_id, occurred_at from int_input__hubspot_identity_link order by 1"
    assert built.rows(links) == [("2", "3", at(20)), ("3", "4", at(30)), ("8", "4", at(35)), ("9", "4", T0)]
    records = "select source_id, source_table, is_merged, occurred_at from int_input__hubspot_lead_record order by 1"
    assert built.rows(records) == [
        ("2", "contact_merge_audit", True, at(-51)),  # known from its first mention on
        ("4", "contact", False, T0),
        ("5", "contact", False, T0),
        ("9", "contact_merge_audit", True, T0),
    ]


def test_deals(build: Build) -> None:
    tables = {
        "hubspot.deal": [deal(1, property_hs_salesforceopportunityid="0061"), deal(2), deal(3, is_deleted=True)],
        "hubspot.deal_contact": rows("deal_id contact_id", (1, 10), (1, 9)),
        "hubspot.deal_company": rows(
            "deal_id company_id type_id", (1, 70, 341), (1, 100, 5), (2, 100, 341), (2, 70, 341)
        ),
        "hubspot.merged_deal": rows("deal_id merged_deal_id", (1, 2)),
    }
    built = build(tables, "int_input__hubspot_opportunity")
    columns = "source_id, record_type, record_source_id, account_source_id"
    assert built.rows(f"select {columns} from int_input__hubspot_opportunity order by 1") == [
        ("1", "contact", "9", "100"),  # lowest number, primary company
        ("2", None, None, "70"),
        ("3", None, None, None),
    ]
    columns = "source_id, mirrored_source_system, mirrored_source_id, is_deleted"
    assert built.rows(f"select {columns} from int_input__hubspot_opportunity order by 1") == [
        ("1", "salesforce", "0061", False),
        ("2", None, None, True),  # merged into 1
        ("3", None, None, True),
    ]


@pytest.mark.parametrize(
    ("column", "lost_is_marked"),
    [("is_closed", True), ("closed_won", True), ("closed_won", False), ("neither", True)],
)
def test_flags_of_a_stage_in_every_schema(build: Build, column: str, lost_is_marked: bool) -> None:
    """closed_won marks won stages in some schemas and all closed ones in others; the label means nothing."""
    stages = rows(
        f"stage_id label probability {column}",
        ("won", "Signed", 1.0, True),
        ("lost", "Gone", 0.0, lost_is_marked),
        ("open", "Closed won", 0.9, False),
    )
    built = build({"hubspot.deal_pipeline_stage": stages}, "int_input__hubspot_stage_flag")
    assert built.rows("select stage_id, is_closed, is_won from int_input__hubspot_stage_flag order by 1") == [
        ("lost", True, False),
        ("open", False, False),
        ("won", True, True),
    ]


def test_stage_events(build: Build) -> None:
    tables = {
        "hubspot.deal_pipeline_stage": rows(
            "stage_id label probability is_closed", ("s1", "Talking", 0.2, False), ("s2", "Won", 1.0, True)
        ),
        "hubspot.deal": [deal(1), deal(1), deal(2, "s2", property_closedate=at(40), property_amount=10.0), deal(3)],
        "hubspot.deal_stage": rows(
            "deal_id value date_entered", (1, "s1", at(10)), (1, "s2", at(20)), (1, "s1", at(30))
        ),
    }
    built = build(tables, "int_input__hubspot_opportunity_stage_event")
    columns = "opportunity_source_id, stage_raw, is_closed, is_won, occurred_at, amount"
    query = f"select {columns} from int_input__hubspot_opportunity_stage_event order by 1, 5, event_sequence"
    assert built.rows(query) == [
        ("1", "Talking", False, False, at(10), None),
        ("1", "Won", True, True, at(20), None),
        ("1", "Talking", False, False, at(30), None),
        ("2", "(not recorded)", False, False, at(10), None),
        ("2", "Won", True, True, at(40), 10),
        ("3", "Talking", False, False, at(10), None),
    ]


def test_engagement_counts_once(build: Build) -> None:
    base = "engagement_id property_hs_createdate property_hs_timestamp"
    tables = {
        "hubspot.engagement_call": rows(
            f"{base} property_hs_call_direction property_hs_call_duration property_hs_call_status",
            (1, at(1), at(2), "OUTBOUND", 61_400, None),
            (2, at(1), at(2), None, None, "NO_ANSWER"),
        ),
        "hubspot.engagement_email": rows(f"{base} property_hs_email_direction", (3, at(1), at(2), "INCOMING_EMAIL")),
        "hubspot.engagement_meeting": rows(
            "engagement_id start_time end_time meeting_outcome _fivetran_synced",
            (4, at(9), at(9, 1), None, at(3)),
            (5, at(9), None, "NO_SHOW", at(10)),
        ),
        "hubspot.engagement_task": rows(
            f"{base} property_hs_task_status _fivetran_deleted",
            (6, at(1), at(2), "NOT_STARTED", False),
            (7, at(1), at(2), "NOT_STARTED", True),
        ),
        "hubspot.engagement_contact": rows("engagement_id contact_id", (1, 10), (1, 9)),
    }
    built = build(tables, "int_input__hubspot_activity")
    columns = (
        "source_id, activity_type, direction, is_completed, record_source_id, occurred_at, loaded_at, duration_seconds"
    )
    assert built.rows(f"select {columns} from int_input__hubspot_activity order by 1") == [
        ("1", "call", "outbound", True, "9", at(2), None, 61),
        ("2", "call", None, False, None, at(2), None, None),
        ("3", "email", "inbound", True, None, at(2), None, None),
        ("4", "meeting", None, True, None, at(9), None, 3600),  # loaded when it was planned: the stamp bounds nothing
        ("5", "meeting", None, False, None, at(9), at(10), None),
        ("6", "task", None, False, None, at(1), None, None),  # not done: dated when it was written down
    ]


def test_touches(build: Build) -> None:
    tables = {
        "hubspot.email_event": rows(
            "id type created recipient email_campaign_id filtered_event",
            ("1", "OPEN", at(1), "a@b.example", 5, False),
            ("2", "CLICK", at(1), "a@b.example", 5, False),
            ("3", "SENT", at(1), "a@b.example", 5, False),
            ("4", "OPEN", at(1), "a@b.example", 5, True),
        ),
        "hubspot.email_event_click": rows("id url", ("2", "https://a.example/x?utm_source=News%20Letter")),
        "hubspot.email_campaign": rows("id name subject", (5, "May", "s")),
        "hubspot.contact_form_submission": rows(
            "contact_id form_id conversion_id timestamp page_url",
            (1, "f", "c", at(2), "https://a.example/demo?gclid=G"),
            (1, "f", None, at(3), None),
        ),
        # Answers within a minute of a form; what a seller notes is none, and neither is another property.
        "hubspot.contact_property_history": rows(
            "contact_id name value timestamp source",
            (1, "how_did_you_hear_about_us", "LinkedIn", at(3, 1 / 61), "FORM"),
            (1, "how_did_you_hear_about_us", "Email", at(2), "CRM_UI"),
            (1, "how_did_you_hear_about_us", "Print", at(2, 1 / 59), "FORM"),
            (1, "lifecyclestage", "lead", at(2), "FORM"),
            (2, "how_did_you_hear_about_us", "A friend", at(2), "FORM"),
        ),
    }
    built = build(tables, "int_input__hubspot_touchpoint")
    columns = "touchpoint_type, interaction, email, record_source_id, campaign_name, page_url"
    said = "select self_reported_source from int_input__hubspot_touchpoint where touchpoint_type = 'form' order by occurred_at"
    assert built.rows(said) == [(None,), ("LinkedIn",)]
    assert built.rows(f"select {columns} from int_input__hubspot_touchpoint order by occurred_at, 2") == [
        ("email", "click", "a@b.example", None, "May", "https://a.example/x?utm_source=News%20Letter"),
        ("email", "open", "a@b.example", None, "May", None),
        ("form", "form_submission", None, "1", None, "https://a.example/demo?gclid=G"),
        ("form", "form_submission", None, "1", None, None),
    ]
    assert built.value("select count(distinct source_id) from int_input__hubspot_touchpoint") == 4


def test_salesforce_records_that_a_contact_names_are_explicit_links(build: Build) -> None:
    contacts = [contact(1, salesforceleadid="00Q1", salesforcecontactid="0031"), contact(2)]
    built = build({"hubspot.contact": contacts}, "int_input__hubspot_identity_link")
    columns = "link_type, from_source_id, to_source_system, to_record_type, to_source_id"
    assert built.rows(f"select {columns} from int_input__hubspot_identity_link order by 4") == [
        ("explicit", "1", "salesforce", "contact", "0031"),
        ("explicit", "1", "salesforce", "lead", "00Q1"),
    ]


def test_snapshots_keep_the_history_that_the_loader_does_not(run_dbt: RunDbt, warehouse: Path) -> None:
    """Of both CRMs: the two snapshots are one mechanism."""
    source = {"salesforce_status_source": "snapshot", "hubspot_status_source": "snapshot"}
    lead_columns = "id status created_date last_modified_date"
    models = ["int_input__salesforce_status_event", "int_input__hubspot_status_event"]

    def sync(status: str, lead_status: str, modified: float) -> None:
        properties = {"lifecyclestage": "lead", "hs_lead_status": lead_status, "lastmodifieddate": at(modified)}
        tables = {
            "salesforce.lead": rows(lead_columns, ("00Q1", status, T0, at(modified))),
            "hubspot.contact": [contact(1, **properties)],
        }
        load(warehouse, tables, replace=False)
        build(run_dbt, warehouse, models, CRM, source).close()

    sync("New", "NEW", 1)
    sync("New", "NEW", 2)
    sync("Working", "OPEN", 3)
    built = Built(warehouse)
    query = "select status_raw, occurred_at from int_input__salesforce_status_event order by 2"
    assert built.rows(query) == [("New", at(1)), ("Working", at(3))]
    query = "select status_field, status_raw, occurred_at from int_input__hubspot_status_event order by 3, 1"
    assert built.rows(query) == [
        ("hs_lead_status", "NEW", at(1)),
        ("lifecyclestage", "lead", at(1)),
        ("hs_lead_status", "OPEN", at(3)),
    ]
    early = "select count(*) from int_input__salesforce_status_event where recorded_at < current_date - 1"
    assert built.value(early) == 0, "a change is known from the build that saw it"
    assert not set(built.columns("salesforce_lead_status")) & {"email", "full_name", "phone"}
    built.close()
