"""Identity on shapes that break naive solutions: a long chain of merges, a star, and people who only look alike."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import RunDbt
from contract_build import ContractBuild
from oracle import Settings

START = datetime(2024, 1, 1)
SETTINGS = Settings(as_of=None, business_timezone="Europe/Berlin")
CHAIN = 3000


def record(source_id: str, minute: int, email: str | None = None) -> dict[str, Any]:
    when = START + timedelta(minutes=minute)
    return {
        "source_system": "hubspot",
        "source_table": "contact",
        "record_type": "contact",
        "source_id": source_id,
        "email": email,
        "occurred_at": when,
        "recorded_at": when,
    }


def link(older: str, newer: str) -> dict[str, Any]:
    when = START + timedelta(days=1)
    row: dict[str, Any] = {
        "source_system": "hubspot",
        "source_table": "contact_merge_audit",
        "source_id": f"{older}>{newer}",
        "link_type": "merge",
        "occurred_at": when,
        "recorded_at": when,
    }
    for side, source_id in (("from", older), ("to", newer)):
        row |= {f"{side}_source_system": "hubspot", f"{side}_record_type": "contact", f"{side}_source_id": source_id}
    return row


@pytest.fixture(scope="module")
def people(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Record -> the record that names its person."""
    folder: Path = tmp_path_factory.mktemp("identity")
    records = [record(f"chain{number}", number) for number in range(CHAIN)]
    links = [link(f"chain{number}", f"chain{number + 1}") for number in range(CHAIN - 1)]
    records += [record(f"star{number}", 5000 + number, "Ada@Acme.io ") for number in range(500)]
    records += [record(f"info{number}", 6000 + number, "info@acme.io") for number in range(50)]
    records += [record("tab", 6900, "ada@acme.io\t\r\n"), record("brackets", 6901, "<mailto:ADA@acme.io>")]
    records += [record("plus", 7000, "ada+crm@acme.io"), record("dot", 7001, "ada.@acme.io")]
    built = ContractBuild(run_dbt, folder).build(
        folder / "leadlag.duckdb",
        {"lead_record": records, "identity_link": links},
        SETTINGS,
        select=["int_identity__lead_record_person"],
    )
    names = {row["lead_record_key"]: row["source_id"] for row in built.read("int_input__lead_record")}
    return {
        names[row["lead_record_key"]]: names[row["person_key"]]
        for row in built.read("int_identity__lead_record_person")
    }


def test_a_chain_of_three_thousand_merges_is_one_person(people: dict[str, str]) -> None:
    assert {people[f"chain{number}"] for number in range(CHAIN)} == {"chain0"}


def test_five_hundred_records_of_one_address_are_one_person(people: dict[str, str]) -> None:
    assert {people[f"star{number}"] for number in range(500)} == {"star0"}


def test_spellings_of_one_address_are_one_person(people: dict[str, str]) -> None:
    assert people["tab"] == people["brackets"] == "star0"


def test_a_shared_mailbox_joins_nobody(people: dict[str, str]) -> None:
    assert len({people[f"info{number}"] for number in range(50)}) == 50


def test_another_address_is_another_person(people: dict[str, str]) -> None:
    assert people["plus"] == "plus"
    assert people["dot"] == "dot"
