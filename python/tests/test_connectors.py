"""The connectors: what they deliver to the input contract from a loader's real tables and from planted cases."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml
from conftest import ROOT, DbtRun, RunDbt
from connectors.raw_tables import Row, load_all, load_rows, load_samples, rename_to_camel_case, sample_files
from dbt.contracts.graph.manifest import Manifest

CRM = {"connectors": ["salesforce", "hubspot"], "unmapped_status": "quarantine"}
EMITTERS = [
    *("--exclude-resource-type", "test", "--select", "field_map"),
    "path:models/staging",
    *(f"path:models/intermediate/input/{connector}" for connector in ("salesforce", "hubspot", "web", "ads", "product")),
]
T0 = datetime(2024, 3, 1, 9, 0)


def at(days: float = 0, hours: float = 0, seconds: float = 0) -> datetime:
    return T0 + timedelta(days=days, hours=hours, seconds=seconds)


class Warehouse:
    """A warehouse file that dbt has built, open for reading."""

    def __init__(self, path: Path) -> None:
        self.connection = duckdb.connect(path, read_only=True)
        self.connection.execute("set search_path = 'main_intermediate,main_staging,main_policy'")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query).fetchall()

    def value(self, query: str) -> Any:
        return self.rows(query)[0][0]


Build = Callable[..., Warehouse]


@pytest.fixture(scope="module")
def crm_manifest(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("crm") / "leadlag.duckdb"
    manifest = run_dbt(["parse"], duckdb_path=path, variables=CRM).manifest
    assert manifest is not None
    return manifest


@pytest.fixture(scope="module")
def all_manifest(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    path = tmp_path_factory.mktemp("all") / "leadlag.duckdb"
    manifest = run_dbt(["parse"], duckdb_path=path, variables={"unmapped_status": "quarantine"}).manifest
    assert manifest is not None
    return manifest


@pytest.fixture
def build_crm(run_dbt: RunDbt, crm_manifest: Manifest, warehouse: Path, request: pytest.FixtureRequest) -> Build:
    """Builds staging and emitters of Salesforce and HubSpot on given tables; a lead and a contact if none are given."""

    def build(
        tables: Mapping[str, Sequence[Row]] | None = None,
        select: Sequence[str] = EMITTERS,
        **variables: Any,
    ) -> Warehouse:
        required = {"salesforce.lead": [lead("00Q0")], "hubspot.contact": [contact(1)]}
        if tables is not None:
            load_all(warehouse, {**required, **tables})
        run_dbt(
            ["build", *select],
            duckdb_path=warehouse,
            variables={**CRM, **variables},
            manifest=crm_manifest,
        )
        built = Warehouse(warehouse)
        request.addfinalizer(built.connection.close)
        return built

    return build


def lead(lead_id: str, **columns: Any) -> dict[str, Any]:
    return {"id": lead_id, "status": "New", "created_date": T0, "_fivetran_synced": at(400), **columns}


def contact(contact_id: int, **columns: Any) -> dict[str, Any]:
    return {"id": contact_id, "property_createdate": T0, "_fivetran_synced": at(400), **columns}


def lead_change(history_id: str, lead_id: str, old: str | None, new: str | None, when: datetime) -> dict[str, Any]:
    return {"id": history_id, "lead_id": lead_id, "field": "Status", "old_value": old, "new_value": new, "created_date": when}


# --- real tables of the loader ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def samples(shared_data: Path) -> Path:
    return shared_data / "fivetran_samples"


@pytest.fixture(scope="module")
def csv(samples: Path) -> Callable[[str], pd.DataFrame]:
    files = sample_files(samples)

    def read(table: str) -> pd.DataFrame:
        return pd.read_csv(files[table], dtype=str)

    return read


@pytest.fixture(scope="module")
def built_samples(
    run_dbt: RunDbt, crm_manifest: Manifest, samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Warehouse:
    path = tmp_path_factory.mktemp("samples") / "leadlag.duckdb"
    load_samples(path, samples, as_text=True)
    run_dbt(["build", *EMITTERS], duckdb_path=path, variables=CRM, manifest=crm_manifest)
    return Warehouse(path)


def dump(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all emitters of Salesforce and HubSpot, sorted."""
    built = Warehouse(path)
    names = built.rows(
        "select table_name from information_schema.tables where table_name like 'int_input__salesforce%' or table_name like 'int_input__hubspot%'"
    )
    content = {name: sorted(built.rows(f"select * from {name}"), key=str) for (name,) in names}
    built.connection.close()
    return content


def without_delivered_text(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """As dump, but for the text of times, which a typed table does not have."""
    built = Warehouse(path)
    content = {}
    for (name,) in built.rows("select table_name from information_schema.tables where table_name like 'int_input__%'"):
        columns = [row[0] for row in built.rows(f"describe {name}") if not row[0].endswith("_raw") or row[0] in ("status_raw", "stage_raw")]
        content[name] = sorted(built.rows(f"select {', '.join(columns)} from {name}"), key=str)
    built.connection.close()
    return content


def test_samples_lead_records(built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]) -> None:
    counts = dict(built_samples.rows("select record_type, count(*) from int_input__salesforce_lead_record group by 1"))
    assert counts == {"lead": len(csv("salesforce.lead")), "contact": len(csv("salesforce.contact"))}
    emails = {row[0] for row in built_samples.rows("select email from int_input__hubspot_lead_record")}
    assert emails == set(csv("hubspot.contact")["property_email"])
    merged = {row[0] for row in built_samples.rows("select source_id from int_input__hubspot_lead_record where is_merged")}
    listed = {i for ids in csv("hubspot.contact")["property_hs_merged_object_ids"].dropna() for i in ids.split(";")}
    audited = set(csv("hubspot.contact_merge_audit")["vid_to_merge"])
    assert merged == (listed | audited) & set(csv("hubspot.contact")["id"])


def test_samples_identity_links(built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]) -> None:
    links = set(
        built_samples.rows(
            "select link_type, from_source_id, to_source_id from int_input__hubspot_identity_link union all "
            "select link_type, from_source_id, to_source_id from int_input__salesforce_identity_link"
        )
    )
    audit = csv("hubspot.contact_merge_audit")
    contacts = csv("hubspot.contact").dropna(subset="property_hs_merged_object_ids")
    leads = csv("salesforce.lead").dropna(subset="converted_contact_id")
    expected = {("merge", a, b) for a, b in zip(audit["vid_to_merge"], audit["canonical_vid"], strict=True)}
    expected |= {
        ("merge", merged, kept)
        for kept, ids in zip(contacts["id"], contacts["property_hs_merged_object_ids"], strict=True)
        for merged in ids.split(";")
    }
    expected |= {("conversion", a, b) for a, b in zip(leads["id"], leads["converted_contact_id"], strict=True)}
    assert links == expected
    merged_at = dict(built_samples.rows("select from_source_id, occurred_at from int_input__hubspot_identity_link"))
    for merged, when in zip(audit["vid_to_merge"], audit["timestamp"], strict=True):
        assert merged_at[merged] == pd.Timestamp(when)


def test_samples_deals(built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]) -> None:
    entries, deals = csv("hubspot.deal_stage"), csv("hubspot.deal")
    unrecorded = set(deals["deal_id"]) - set(entries["deal_id"])
    by_table = dict(
        built_samples.rows("select source_table, count(*) from int_input__hubspot_opportunity_stage_event group by 1")
    )
    assert by_table == {"deal_stage": len(entries), "deal": len(unrecorded)}
    assert built_samples.value("select count(*) from int_input__hubspot_opportunity") == len(deals)
    stages = csv("hubspot.deal_pipeline_stage")
    won = stages[(stages["is_closed"] == "TRUE") & (stages["probability"].astype(float) == 1)]
    assert built_samples.value("select count(*) from int_input__hubspot_stage_flag where is_won") == len(won)


def test_samples_history_mode_copy_is_no_opportunity_history(
    built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]
) -> None:
    assert len(csv("salesforce.opportunity_history")) > 0
    assert built_samples.value("select count(*) from int_input__salesforce_opportunity_state") == 0
    opportunities = csv("salesforce.opportunity")
    current = opportunities[opportunities["_fivetran_active"].fillna("true").str.lower() != "false"]
    assert 0 < len(current) < len(opportunities)
    events = built_samples.rows(
        "select opportunity_source_id, is_closed, is_won from int_input__salesforce_opportunity_stage_event order by event_sequence"
    )
    closed = current[current["is_closed"] == "true"]
    assert len(events) == len(current) + len(closed)
    final = {opportunity: (is_closed, is_won) for opportunity, is_closed, is_won in events}
    expected = {
        row.id: (row.is_closed == "true", row.is_won == "true") for row in current.itertuples()
    }
    assert final == expected


def test_samples_probability_is_divided_and_never_repaired(
    built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]
) -> None:
    opportunities = csv("salesforce.opportunity")
    current = opportunities[opportunities["_fivetran_active"].fillna("true").str.lower() != "false"]
    delivered = sorted(float(value) / 100 for value in current["probability"].dropna())
    kept = [row[0] for row in built_samples.rows("select probability from stg_salesforce__opportunity where probability is not null order by 1")]
    assert kept == pytest.approx(delivered)
    assert max(kept) == 10.0, "1000 per cent is in the file and means nothing that anybody knows"


def test_samples_superseded_versions_are_left_out(built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]) -> None:
    for table in ("account", "user", "user_role", "task", "event"):
        rows = csv(f"salesforce.{table}")
        active = rows["_fivetran_active"].fillna("true").str.lower() != "false"
        assert built_samples.value(f"select count(*) from stg_salesforce__{table}") == active.sum(), table


def test_samples_touchpoints(built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]) -> None:
    events = csv("hubspot.email_event")
    touches = events[events["type"].isin(["OPEN", "CLICK"]) & (events["filtered_event"] == "false")]
    by_table = dict(built_samples.rows("select source_table, count(*) from int_input__hubspot_touchpoint group by 1"))
    assert by_table == {"email_event": len(touches), "contact_form_submission": len(csv("hubspot.contact_form_submission"))}


def test_samples_times_of_the_loader_are_read(built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]) -> None:
    for table, column in (("deal_stage", "entered_at"), ("contact_property_history", "changed_at")):
        unread = built_samples.value(f"select count(*) from stg_hubspot__{table} where {column} is null")
        assert unread == 0, "the files write 3:15:52 as well as 11:20:31.430"
    companies = csv("hubspot.company")
    loaded = {row[0] for row in built_samples.rows("select loaded_at from stg_hubspot__company")}
    assert loaded == {pd.Timestamp(value).to_pydatetime() for value in companies["_fivetran_synced"]}


def test_samples_as_text_and_typed_give_the_same_rows(
    run_dbt: RunDbt, crm_manifest: Manifest, samples: Path, warehouse: Path
) -> None:
    content = []
    for as_text in (True, False):
        load_samples(warehouse, samples, as_text=as_text)
        run_dbt(["build", *EMITTERS], duckdb_path=warehouse, variables=CRM, manifest=crm_manifest)
        content.append(without_delivered_text(warehouse))
    for name, rows in content[0].items():
        assert rows == content[1][name], name


def test_camel_case_spelling_gives_the_same_rows(
    run_dbt: RunDbt, crm_manifest: Manifest, samples: Path, warehouse: Path
) -> None:
    content = []
    for respell in (False, True):
        load_samples(warehouse, samples, as_text=True)
        if respell:
            rename_to_camel_case(warehouse, "salesforce")
        run_dbt(["build", *EMITTERS], duckdb_path=warehouse, variables=CRM, manifest=crm_manifest)
        content.append(dump(warehouse))
    assert sum(len(rows) for name, rows in content[0].items() if "salesforce" in name) > 50
    for name, rows in content[0].items():
        assert rows == content[1][name], name
