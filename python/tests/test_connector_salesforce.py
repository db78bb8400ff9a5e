"""The Salesforce connector on planted cases: one rule a test."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import RunDbt
from connector_build import CRM, T0, Built, at, builder, day, rows

Build = Callable[..., Built]

HISTORY = "id lead_id field old_value new_value created_date"
STAGE_EVENTS = (
    "select source_id, stage_raw, is_closed, is_won, occurred_at, event_sequence "
    "from int_input__salesforce_opportunity_stage_event order by opportunity_source_id, occurred_at, event_sequence"
)


@pytest.fixture
def build(run_dbt: RunDbt, warehouse: Path) -> Build:
    return builder(run_dbt, warehouse, CRM)


def lead(lead_id: str, **columns: Any) -> dict[str, Any]:
    return {"id": lead_id, "status": "New", "created_date": T0, **columns}


def opportunity(opportunity_id: str, stage: str = "Offer", **columns: Any) -> dict[str, Any]:
    state = {"created_date": at(10), "stage_name": stage, "is_closed": False, "is_won": False}
    return {"id": opportunity_id, **state, **columns}


def statuses(built: Built, lead_id: str) -> list[tuple[Any, ...]]:
    return built.rows(
        "select source_id, status_raw, occurred_at, event_sequence from int_input__salesforce_status_event "
        f"where record_source_id = '{lead_id}' order by occurred_at, event_sequence"
    )


def test_status_at_creation_is_what_the_first_change_replaced(build: Build) -> None:
    tables = {
        "salesforce.lead": [lead("00Q1", status="Qualified"), lead("00Q2"), lead("00Q3", status=None)],
        "salesforce.lead_history": rows(
            HISTORY,
            # Same instant: the id tells which came first. The field's name is spelt in any case.
            ("b", "00Q1", "Status", "Working", "Qualified", at(2)),
            ("a", "00Q1", "status", "Open", "Working", at(2)),
            ("c", "00Q1", "Rating", "x", "y", at(1)),
            ("d", "00Q1", "Status", "Qualified", None, at(3)),
        ),
    }
    built = build(tables, "int_input__salesforce_status_event")
    assert statuses(built, "00Q1") == [
        ("00Q1:created", "Open", T0, 0),
        ("a", "Working", at(2), 1),
        ("b", "Qualified", at(2), 2),
    ]
    assert statuses(built, "00Q2") == [("00Q2:created", "New", T0, 0)]
    assert statuses(built, "00Q3") == []


def test_converted_lead_without_history_is_dated_at_its_conversion(build: Build) -> None:
    converted = {"status": "Converted", "is_converted": True}
    leads = [
        lead("00Q1", converted_date=date(2024, 3, 20), **converted),
        lead("00Q2", converted_date=date(2024, 3, 1), **converted),
        lead("00Q3", is_deleted=True),
        lead("00Q4", is_deleted=True, master_record_id="00Q1"),
    ]
    built = build({"salesforce.lead": leads}, "int_input__salesforce_status_event")
    assert statuses(built, "00Q1") == [("00Q1:converted", "Converted", day("2024-03-20"), 0)]
    assert statuses(built, "00Q2") == [("00Q2:converted", "Converted", T0, 0)], "never before creation"
    assert statuses(built, "00Q3") == [], "a deleted lead has no reconstructed status"
    assert statuses(built, "00Q4") == [("00Q4:created", "New", T0, 0)], "a merged one has"


def test_time_of_a_conversion(build: Build) -> None:
    converted = {"is_converted": True, "converted_date": date(2024, 3, 11)}
    tables = {
        "salesforce.lead": [lead(f"00Q{i}", converted_contact_id=f"003{i}", **converted) for i in range(1, 5)],
        "salesforce.lead_history": rows(
            HISTORY,
            ("a", "00Q1", "leadConverted", None, None, at(10, 1)),
            ("b", "00Q1", "Status", "New", "Converted", at(10, 2)),
            ("c", "00Q3", "Status", "New", "Working", at(2)),
            ("d", "00Q3", "Status", "Working", "Converted", at(10, 5)),
        ),
        # Lead 3 was converted into a contact that was there long before.
        "salesforce.contact": rows("id created_date", ("0031", at(10, 3)), ("0032", at(10, 4)), ("0033", at(-90))),
    }
    built = build(tables, "int_input__salesforce_identity_link")
    query = "select from_source_id, link_type, occurred_at from int_input__salesforce_identity_link order by 1"
    assert built.rows(query) == [
        ("00Q1", "conversion", at(10, 1)),  # the tracked conversion
        ("00Q2", "conversion", at(10, 4)),  # the contact it made
        ("00Q3", "conversion", at(10, 5)),  # the status it set
        ("00Q4", "conversion", day("2024-03-11")),  # the day, for want of anything better
    ]


def test_merges_are_chains_dated_by_the_merged_record(build: Build) -> None:
    leads = [
        lead("00Q1", is_deleted=True, master_record_id="00Q2", last_modified_date=at(5)),
        lead("00Q2", is_deleted=True, master_record_id="00Q3", last_modified_date=at(9)),
        lead("00Q3", last_modified_date=at(20)),
    ]
    models = ("int_input__salesforce_identity_link", "int_input__salesforce_lead_record")
    built = build({"salesforce.lead": leads}, *models)
    links = "select from_source_id, to_source_id, occurred_at from int_input__salesforce_identity_link order by 1"
    assert built.rows(links) == [("00Q1", "00Q2", at(5)), ("00Q2", "00Q3", at(9))]
    merged = "select source_id from int_input__salesforce_lead_record where is_merged order by 1"
    assert built.rows(merged) == [("00Q1",), ("00Q2",)]


def test_person_of_an_opportunity(build: Build) -> None:
    converted = {"is_converted": True, "converted_opportunity_id": "0061"}
    tables = {
        "salesforce.lead": [
            lead("00Q2", converted_date=date(2024, 3, 11), **converted),
            lead("00Q1", converted_date=date(2024, 3, 12), **converted),
        ],
        "salesforce.opportunity": [opportunity(f"006{i}") for i in range(1, 5)],
        "salesforce.opportunity_contact_role": rows(
            "id opportunity_id contact_id is_primary created_date is_deleted",
            ("c", "0061", "0031", True, at(1), False),
            ("a", "0062", "0032", False, at(1), False),
            ("b", "0062", "0033", True, at(5), False),
            ("e", "0063", "0035", False, at(2), False),
            ("d", "0063", "0034", False, at(2), False),
            ("f", "0064", "0036", True, at(2), True),
        ),
    }
    built = build(tables, "int_input__salesforce_opportunity")
    query = "select source_id, record_type, record_source_id from int_input__salesforce_opportunity order by 1"
    assert built.rows(query) == [
        ("0061", "lead", "00Q2"),  # converted first
        ("0062", "contact", "0033"),  # primary
        ("0063", "contact", "0034"),  # earliest, then lowest id
        ("0064", None, None),
    ]


def test_flags_of_a_stage_come_from_the_stage_and_never_from_its_name(build: Build) -> None:
    tables = {
        "salesforce.opportunity": [opportunity("0061", "Lost on price", is_closed=True, currency_iso_code="USD")],
        "salesforce.opportunity_stage": rows(
            "id api_name master_label is_active is_closed is_won",
            ("1", "Offer", "Offer", True, False, False),
            ("2", "Closed Won", "Closed Won", True, True, False),
            ("3", "Signed", "Contract", True, True, True),
            ("4", "Signed", "Signed", False, False, False),
        ),
        "salesforce.opportunity_history": rows(
            "id opportunity_id stage_name created_date amount probability",
            ("b", "0061", "Closed Won", at(12), None, None),
            ("a", "0061", "offer ", at(10), 100.126, 65.0),
            ("c", "0061", "Contract", at(12), None, None),
            ("d", "0061", "Signed", at(13), None, None),
            ("e", "0061", "Lost on price", at(14), None, None),
            ("f", "0061", "Renamed long ago", at(9), None, None),
        ),
        # Not asked: opportunity_history knows more.
        "salesforce.opportunity_field_history": rows(
            "id opportunity_id field old_value new_value created_date", ("x", "0061", "StageName", "1", "2", at(3))
        ),
    }
    built = build(tables, "int_input__salesforce_opportunity_stage_event")
    assert built.rows(STAGE_EVENTS) == [
        ("f", "Renamed long ago", None, None, at(9), 1),
        ("a", "offer ", False, False, at(10), 2),
        ("b", "Closed Won", True, False, at(12), 3),
        ("c", "Contract", True, True, at(12), 4),
        ("d", "Signed", True, True, at(13), 5),
        ("e", "Lost on price", True, False, at(14), 6),  # the flags of the opportunity that is in it
    ]
    query = (
        "select cast(amount as varchar), currency_code, probability "
        "from int_input__salesforce_opportunity_stage_event where source_id = 'a'"
    )
    assert built.rows(query) == [("100.13", "USD", pytest.approx(0.65))]


def test_stage_events_without_opportunity_history(build: Build) -> None:
    won = {"is_closed": True, "is_won": True}
    tables = {
        "salesforce.opportunity": [
            opportunity("0061"),
            opportunity("0062", "Done", close_date=date(2024, 3, 21), **won),
            opportunity("0063", "Done", close_date=date(2024, 1, 1), **won),
        ],
        "salesforce.opportunity_field_history": rows(
            "id opportunity_id field old_value new_value created_date",
            ("a", "0061", "StageName", "Lead", "Offer", at(11)),
            ("b", "0061", "Amount", "1", "2", at(12)),
        ),
    }
    unrecorded = [
        ("0062:created", "(not recorded)", False, False, at(10), 0),
        ("0062:closed", "Done", True, True, day("2024-03-21"), 1),
        ("0063:created", "(not recorded)", False, False, at(10), 0),
        ("0063:closed", "Done", True, True, at(10), 1),  # never before creation
    ]
    model = "int_input__salesforce_opportunity_stage_event"
    built = build(tables, model)
    field_history = [("0061:created", "Lead", None, None, at(10), 0), ("a", "Offer", False, False, at(11), 1)]
    assert built.rows(STAGE_EVENTS) == [*field_history, *unrecorded]
    built.close()
    built = build(tables, model, salesforce_opportunity_history_source="none")
    assert built.rows(STAGE_EVENTS) == [("0061:created", "Offer", False, False, at(10), 0), *unrecorded]


def test_activities(build: Build) -> None:
    tables = {
        "salesforce.task": rows(
            "id who_id what_id task_subtype call_type is_closed created_date completed_date_time is_deleted",
            ("00T1", "00Q1", "0061", "Call", "Inbound", True, at(1), at(2), False),
            ("00T2", "0031", "0011", "Email", None, True, at(3), None, False),
            ("00T3", "0031", None, "Task", None, False, at(4), None, False),
            ("00T4", "0031", None, "Task", None, False, at(4), None, True),
        ),
        # Loaded before it took place, and never again: the stamp bounds nothing.
        "salesforce.event": rows(
            "id who_id start_date_time end_date_time created_date _fivetran_synced",
            ("00U1", "0031", at(9), at(9, 1), at(5), at(6)),
        ),
    }
    built = build(tables, "int_input__salesforce_activity")
    columns = "source_id, activity_type, direction, is_completed, record_type, opportunity_source_id, account_source_id"
    assert built.rows(f"select {columns} from int_input__salesforce_activity order by 1") == [
        ("00T1", "call", "inbound", True, "lead", "0061", None),
        ("00T2", "email", "outbound", True, "contact", None, "0011"),
        ("00T3", "task", None, False, "contact", None, None),
        ("00U1", "meeting", None, True, "contact", None, None),
    ]
    columns = "source_id, occurred_at, recorded_at, loaded_at, duration_seconds"
    assert built.rows(
        f"select {columns} from int_input__salesforce_activity where activity_type <> 'task' order by 1"
    ) == [
        ("00T1", at(2), at(2), None, None),
        ("00T2", at(3), at(3), None, None),
        ("00U1", at(9), at(9), None, 3600),
    ]


def test_touch_is_a_response(build: Build) -> None:
    tables = {
        "salesforce.campaign": rows("id name", ("7011", "Trade show")),
        "salesforce.campaign_member": rows(
            "id campaign_id lead_id contact_id status has_responded first_responded_date created_date",
            ("a", "7011", "00Q1", "0031", "Attended", True, date(2024, 3, 5), at(1)),
            ("b", "7011", None, "0032", "Attended", True, None, at(1)),
            ("c", "7011", "00Q1", None, "Sent", False, None, at(1)),
        ),
    }
    built = build(tables, "int_input__salesforce_touchpoint")
    columns = "source_id, record_type, record_source_id, occurred_at, campaign_name, interaction"
    assert built.rows(f"select {columns} from int_input__salesforce_touchpoint order by 1") == [
        ("a", "lead", "00Q1", day("2024-03-05"), "Trade show", "Attended"),
        ("b", "contact", "0032", at(1), "Trade show", "Attended"),
    ]


def test_parents_that_occur_twice_double_nothing(build: Build) -> None:
    """A history-mode schema without its flag has every account and opportunity several times."""
    tables = {
        "salesforce.contact": rows("id account_id created_date", ("0031", "0011", T0)),
        "salesforce.account": rows("id name", ("0011", "A"), ("0011", "B")),
        "salesforce.opportunity": [opportunity("0061"), opportunity("0061", "Lead")],
        "salesforce.opportunity_history": rows(
            "id opportunity_id stage_name created_date", ("a", "0061", "Offer", at(10))
        ),
    }
    built = build(tables, "int_input__salesforce_lead_record", "int_input__salesforce_opportunity_stage_event")
    assert built.value("select count(*) from int_input__salesforce_lead_record where record_type = 'contact'") == 1
    assert built.value("select count(*) from int_input__salesforce_opportunity_stage_event") == 1
