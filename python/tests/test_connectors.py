"""The connectors: what they deliver to the input contract from a loader's real tables and from planted cases."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml
from conftest import ROOT, RunDbt
from connectors.raw_tables import Row, load_all, load_rows, load_samples, rename_to_camel_case, sample_files
from dbt.contracts.graph.manifest import Manifest

CRM = {"connectors": ["salesforce", "hubspot"], "unmapped_status": "quarantine"}
EMITTERS = [
    *("--exclude-resource-type", "test", "--select", "field_map"),
    "path:models/staging",
    *(
        f"path:models/intermediate/input/{connector}"
        for connector in ("salesforce", "hubspot", "web", "ads", "product")
    ),
]


def selection(models: Sequence[str]) -> list[str]:
    """Arguments for dbt: these models with all that they need, or every model of every connector."""
    return ["--exclude-resource-type", "test", "--select", *(f"+{name}" for name in models)] if models else EMITTERS


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

    def has(self, name: str) -> bool:
        return bool(self.rows(f"select 1 from information_schema.tables where table_name = '{name}'"))


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
    """Builds models of the Salesforce and HubSpot connectors on given tables; a lead and a contact if none are given."""

    def build(tables: Mapping[str, Sequence[Row]], *models: str, **variables: Any) -> Warehouse:
        required = {"salesforce.lead": [lead("00Q0")], "hubspot.contact": [contact(1)]}
        load_all(warehouse, {**required, **tables})
        run_dbt(
            ["build", *selection(models)],
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
    return {
        "id": history_id,
        "lead_id": lead_id,
        "field": "Status",
        "old_value": old,
        "new_value": new,
        "created_date": when,
    }


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
        columns = [
            row[0]
            for row in built.rows(f"describe {name}")
            if not row[0].endswith("_raw") or row[0] in ("status_raw", "stage_raw")
        ]
        content[name] = sorted(built.rows(f"select {', '.join(columns)} from {name}"), key=str)
    built.connection.close()
    return content


def test_samples_lead_records(built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]) -> None:
    counts = dict(built_samples.rows("select record_type, count(*) from int_input__salesforce_lead_record group by 1"))
    assert counts == {"lead": len(csv("salesforce.lead")), "contact": len(csv("salesforce.contact"))}
    emails = {row[0] for row in built_samples.rows("select email from int_input__hubspot_lead_record")}
    assert emails == set(csv("hubspot.contact")["property_email"])
    merged = {
        row[0] for row in built_samples.rows("select source_id from int_input__hubspot_lead_record where is_merged")
    }
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
    expected = {row.id: (row.is_closed == "true", row.is_won == "true") for row in current.itertuples()}
    assert final == expected


def test_samples_probability_is_divided_and_never_repaired(
    built_samples: Warehouse, csv: Callable[[str], pd.DataFrame]
) -> None:
    opportunities = csv("salesforce.opportunity")
    current = opportunities[opportunities["_fivetran_active"].fillna("true").str.lower() != "false"]
    delivered = sorted(float(value) / 100 for value in current["probability"].dropna())
    kept = [
        row[0]
        for row in built_samples.rows(
            "select probability from stg_salesforce__opportunity where probability is not null order by 1"
        )
    ]
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
    assert by_table == {
        "email_event": len(touches),
        "contact_form_submission": len(csv("hubspot.contact_form_submission")),
    }


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


# --- absent columns, absent tables, the field map ---------------------------------------------------------------------
def test_absent_columns_and_tables_become_typed_nulls_and_empty_relations(build_crm: Build) -> None:
    built = build_crm(
        {"salesforce.lead": [{"Id": "00Q1", "Status": "New"}], "hubspot.contact": [{"id": 7}]},
        "stg_hubspot__contact",
        "stg_salesforce__lead",
        "stg_salesforce__opportunity",
    )
    row = built.rows("select lead_id, email, created_at, employee_count, is_deleted from stg_salesforce__lead")
    assert row == [("00Q1", None, None, None, None)]
    types = {name: kind for name, kind, *_ in built.rows("describe stg_salesforce__lead")}
    assert (types["email"], types["created_at"], types["employee_count"], types["is_deleted"]) == (
        *("VARCHAR", "TIMESTAMP", "BIGINT", "BOOLEAN"),
    )
    types = {name: kind for name, kind, *_ in built.rows("describe stg_salesforce__opportunity")}
    assert (types["amount"], types["close_date"], types["is_won"]) == ("DECIMAL(18,2)", "DATE", "BOOLEAN")
    empty = built.rows(
        "select table_name from information_schema.tables where table_schema = 'main_staging' and table_name not in "
        "('stg_salesforce__lead', 'stg_hubspot__contact')"
    )
    assert len(empty) > 30
    for (name,) in empty:
        assert built.value(f"select count(*) from {name}") == 0, name


def test_absent_required_table_is_one_error_before_anything_is_built(
    run_dbt: RunDbt, crm_manifest: Manifest, warehouse: Path
) -> None:
    load_all(warehouse, {"salesforce.contact": [{"id": "0031"}], "hubspot.contact": [contact(1)]})
    run = run_dbt(["build"], duckdb_path=warehouse, variables=CRM, manifest=crm_manifest, may_fail=True)
    assert not run.success
    message = "\n".join(run.messages.values())
    assert message.count("required table") == 1
    for part in (
        "connector salesforce",
        "'lead'",
        "schema 'salesforce'",
        "salesforce_schema",
        "salesforce_lead_identifier",
    ):
        assert part in message, message
    with duckdb.connect(warehouse) as connection:
        built = connection.execute(
            "select count(*) from information_schema.tables where table_schema like 'main_%'"
        ).fetchone()
    assert built == (0,)


def test_compiling_needs_no_tables(run_dbt: RunDbt, all_manifest: Manifest, warehouse: Path) -> None:
    run_dbt(["compile"], duckdb_path=warehouse, manifest=all_manifest, variables={"unmapped_status": "quarantine"})


def test_identifier_and_schema_can_be_named(run_dbt: RunDbt, warehouse: Path) -> None:
    load_all(warehouse, {"crm.sf_lead": [lead("00Q1")]})
    variables = {"connectors": ["salesforce"], "salesforce_schema": "crm", "salesforce_lead_identifier": "sf_lead"}
    run_dbt(["build", *EMITTERS], duckdb_path=warehouse, variables=variables)
    built = Warehouse(warehouse)
    assert built.rows("select source_id from int_input__salesforce_lead_record") == [("00Q1",)]
    built.connection.close()


def test_field_map_decides_which_column_is_read(
    run_dbt: RunDbt, crm_manifest: Manifest, warehouse: Path, build_crm: Build
) -> None:
    tables = {
        "salesforce.lead": [lead("00Q1", Region__c="EMEA", Sales_Region__c="DACH", phone=None, mobile_phone="0170")]
    }
    built = build_crm(tables, "stg_salesforce__lead")
    query = "select region, phone from stg_salesforce__lead"
    assert built.rows(query) == [("EMEA", None)], "the first name that exists is read, be it empty"
    built.connection.close()
    with duckdb.connect(warehouse) as connection:
        connection.execute(
            "update main_policy.field_map set source_column = case staging_column when 'region' then 'sales_region_c' "
            "else 'no_such_column|mobile_phone' end where connector = 'salesforce' and source_table = 'lead' "
            "and staging_column in ('region', 'phone')"
        )
    run_dbt(["run", "--select", "stg_salesforce__lead"], duckdb_path=warehouse, variables=CRM, manifest=crm_manifest)
    changed = Warehouse(warehouse)
    assert changed.rows(query) == [("DACH", "0170")]
    changed.connection.close()


def test_exact_spelling_wins_over_a_like_one(build_crm: Build) -> None:
    built = build_crm(
        {"salesforce.lead": [{"createddate": at(1), "CREATED_DATE": at(2), "id": "00Q1"}]}, "stg_salesforce__lead"
    )
    assert built.value("select created_at from stg_salesforce__lead") == at(2)


def test_emitters_deliver_only_columns_of_the_contract(built_everything: Warehouse) -> None:
    """A misspelt column would be a null in the contract and nobody would know."""
    models = yaml.safe_load((ROOT / "models/intermediate/input/_input.yml").read_text(encoding="utf-8"))["models"]
    contract = {
        model["name"].removeprefix("int_input__").removesuffix("_checked"): {
            column["name"]: column["data_type"]
            for column in model["columns"]
            if not column.get("config", {}).get("meta", {}).get("derived")
        }
        for model in models
        if model["name"].endswith("_checked")
    }
    like = {"string": {"VARCHAR"}, "numeric(18,2)": {"DECIMAL(18,2)"}, "double precision": {"DOUBLE", "FLOAT"}}
    like |= {"bigint": {"BIGINT", "INTEGER"}, "timestamp": {"TIMESTAMP"}, "date": {"DATE"}, "boolean": {"BOOLEAN"}}
    checked = 0
    for connector in ("salesforce", "hubspot", "web", "ads", "product"):
        for entity, columns in contract.items():
            name = f"int_input__{connector}_{entity}"
            delivered = (
                {row[0]: row[1] for row in built_everything.rows(f"describe {name}")}
                if built_everything.has(name)
                else {}
            )
            assert set(delivered) <= set(columns), name
            for column, kind in delivered.items():
                assert kind in like[columns[column]], f"{name}.{column}"
            checked += bool(delivered)
    assert checked == 25


# --- Salesforce -------------------------------------------------------------------------------------------------------
def statuses(built: Warehouse, lead_id: str) -> list[tuple[Any, ...]]:
    return built.rows(
        "select source_id, status_raw, occurred_at, event_sequence from int_input__salesforce_status_event "
        f"where record_source_id = '{lead_id}' order by occurred_at, event_sequence"
    )


def test_salesforce_status_at_creation_is_what_the_first_change_replaced(build_crm: Build) -> None:
    built = build_crm(
        {
            "salesforce.lead": [
                lead("00Q1", status="Qualified"),
                lead("00Q2", status="New"),
                lead("00Q3", status=None),
            ],
            "salesforce.lead_history": [
                lead_change("b", "00Q1", "Working", "Qualified", at(2)),
                # Same instant: the id tells which came first. The field's name is spelt in any case.
                lead_change("a", "00Q1", "Open", "Working", at(2)) | {"field": "status"},
                lead_change("c", "00Q1", "x", "y", at(1)) | {"field": "Rating"},
                lead_change("d", "00Q1", "Qualified", None, at(3)),
            ],
        },
    )
    assert statuses(built, "00Q1") == [
        ("00Q1:created", "Open", T0, 0),
        ("a", "Working", at(2), 1),
        ("b", "Qualified", at(2), 2),
    ]
    assert statuses(built, "00Q2") == [("00Q2:created", "New", T0, 0)]
    assert statuses(built, "00Q3") == []


def test_salesforce_converted_lead_without_history_is_dated_at_its_conversion(build_crm: Build) -> None:
    converted = {"status": "Converted", "is_converted": True}
    built = build_crm(
        {
            "salesforce.lead": [
                lead("00Q1", converted_date=date(2024, 3, 20), **converted),
                lead("00Q2", converted_date=date(2024, 3, 1), **converted),
                lead("00Q3", is_deleted=True, status="New"),
                lead("00Q4", is_deleted=True, status="New", master_record_id="00Q1"),
            ]
        },
    )
    assert statuses(built, "00Q1") == [("00Q1:converted", "Converted", datetime(2024, 3, 20), 0)]
    assert statuses(built, "00Q2") == [("00Q2:converted", "Converted", T0, 0)], "never before creation"
    assert statuses(built, "00Q3") == []
    assert statuses(built, "00Q4") == [("00Q4:created", "New", T0, 0)]


def test_salesforce_time_of_a_conversion(build_crm: Build) -> None:
    def converted(lead_id: str, contact_id: str) -> dict[str, Any]:
        return lead(lead_id, is_converted=True, converted_date=date(2024, 3, 11), converted_contact_id=contact_id)

    built = build_crm(
        {
            "salesforce.lead": [converted(f"00Q{i}", f"003{i}") for i in range(1, 5)],
            "salesforce.lead_history": [
                lead_change("a", "00Q1", None, None, at(10, 1)) | {"field": "leadConverted"},
                lead_change("b", "00Q1", "New", "Converted", at(10, 2)),
                lead_change("c", "00Q3", "New", "Working", at(2)),
                lead_change("d", "00Q3", "Working", "Converted", at(10, 5)),
            ],
            "salesforce.contact": [
                {"id": "0031", "created_date": at(10, 3)},
                {"id": "0032", "created_date": at(10, 4)},
                # An old contact that the lead was converted into.
                {"id": "0033", "created_date": at(-90)},
            ],
        },
    )
    times = built.rows(
        "select from_source_id, occurred_at from int_input__salesforce_identity_link where link_type = 'conversion' order by 1"
    )
    assert times == [
        ("00Q1", at(10, 1)),  # tracked
        ("00Q2", at(10, 4)),  # the contact it made
        ("00Q3", at(10, 5)),  # the status it set
        ("00Q4", datetime(2024, 3, 11)),  # the day, for want of anything better
    ]


def test_salesforce_merges_are_chains_dated_by_the_merged_record(build_crm: Build) -> None:
    built = build_crm(
        {
            "salesforce.lead": [
                lead("00Q1", is_deleted=True, master_record_id="00Q2", last_modified_date=at(5)),
                lead("00Q2", is_deleted=True, master_record_id="00Q3", last_modified_date=at(9)),
                lead("00Q3", last_modified_date=at(20)),
            ],
        },
    )
    assert built.rows(
        "select from_source_id, to_source_id, occurred_at from int_input__salesforce_identity_link order by 1"
    ) == [("00Q1", "00Q2", at(5)), ("00Q2", "00Q3", at(9))]
    assert built.rows("select source_id from int_input__salesforce_lead_record where is_merged order by 1") == [
        ("00Q1",),
        ("00Q2",),
    ]


def opportunity(opportunity_id: str, **columns: Any) -> dict[str, Any]:
    return {
        "id": opportunity_id,
        "created_date": at(10),
        "stage_name": "Offer",
        "is_closed": False,
        "is_won": False,
        **columns,
    }


def test_salesforce_person_of_an_opportunity(build_crm: Build) -> None:
    def role(role_id: str, opportunity_id: str, contact_id: str, is_primary: bool, day: int) -> dict[str, Any]:
        columns = {"is_primary": is_primary, "created_date": at(day)}
        return {"id": role_id, "opportunity_id": opportunity_id, "contact_id": contact_id, **columns}

    won = {"is_converted": True, "converted_opportunity_id": "0061"}
    built = build_crm(
        {
            "salesforce.lead": [
                lead("00Q2", converted_date=date(2024, 3, 11), **won),
                lead("00Q1", converted_date=date(2024, 3, 12), **won),
            ],
            "salesforce.opportunity": [opportunity(f"006{i}") for i in range(1, 5)],
            "salesforce.opportunity_contact_role": [
                role("c", "0061", "0031", True, 1),
                role("a", "0062", "0032", False, 1),
                role("b", "0062", "0033", True, 5),
                role("e", "0063", "0035", False, 2),
                role("d", "0063", "0034", False, 2),
                role("f", "0064", "0036", True, 2) | {"is_deleted": True},
            ],
        },
    )
    assert built.rows(
        "select source_id, record_type, record_source_id from int_input__salesforce_opportunity order by 1"
    ) == [
        ("0061", "lead", "00Q2"),
        ("0062", "contact", "0033"),
        ("0063", "contact", "0034"),
        ("0064", None, None),
    ]


STAGES = [
    {"id": "1", "api_name": "Offer", "master_label": "Offer", "is_active": True, "is_closed": False, "is_won": False},
    # The label lies: only the flags count.
    {
        "id": "2",
        "api_name": "Closed Won",
        "master_label": "Closed Won",
        "is_active": True,
        "is_closed": True,
        "is_won": False,
    },
    {"id": "3", "api_name": "Signed", "master_label": "Contract", "is_active": True, "is_closed": True, "is_won": True},
    {
        "id": "4",
        "api_name": "Signed",
        "master_label": "Signed",
        "is_active": False,
        "is_closed": False,
        "is_won": False,
    },
]


def stage_events(built: Warehouse) -> list[tuple[Any, ...]]:
    return built.rows(
        "select source_id, stage_raw, is_closed, is_won, occurred_at, event_sequence "
        "from int_input__salesforce_opportunity_stage_event order by opportunity_source_id, occurred_at, event_sequence"
    )


def test_salesforce_stage_events_from_opportunity_history(build_crm: Build) -> None:
    def state(history_id: str, stage: str, day: float, **columns: Any) -> dict[str, Any]:
        return {"id": history_id, "opportunity_id": "0061", "stage_name": stage, "created_date": at(day), **columns}

    built = build_crm(
        {
            "salesforce.opportunity": [
                opportunity("0061", stage_name="Lost on price", is_closed=True, currency_iso_code="USD")
            ],
            "salesforce.opportunity_stage": STAGES,
            "salesforce.opportunity_history": [
                state("b", "Closed Won", 12),
                state("a", "offer ", 10, amount=100.126, probability=65.0),
                state("c", "Contract", 12),
                state("d", "Signed", 13),
                state("e", "Lost on price", 14),
                state("f", "Renamed long ago", 9),
            ],
            # Present and not asked, since opportunity_history has more.
            "salesforce.opportunity_field_history": [
                {
                    "id": "x",
                    "opportunity_id": "0061",
                    "field": "StageName",
                    "old_value": "1",
                    "new_value": "2",
                    "created_date": at(3),
                }
            ],
        },
    )
    assert stage_events(built) == [
        ("f", "Renamed long ago", None, None, at(9), 1),
        ("a", "offer ", False, False, at(10), 2),
        ("b", "Closed Won", True, False, at(12), 3),
        ("c", "Contract", True, True, at(12), 4),
        ("d", "Signed", True, True, at(13), 5),
        ("e", "Lost on price", True, False, at(14), 6),
    ]
    amount, currency, probability = built.rows(
        "select amount, currency_code, probability from int_input__salesforce_opportunity_stage_event where source_id = 'a'"
    )[0]
    assert (float(amount), currency, probability) == (100.13, "USD", pytest.approx(0.65))


def test_salesforce_stage_events_without_opportunity_history(build_crm: Build) -> None:
    tables = {
        "salesforce.opportunity": [
            opportunity("0061"),
            opportunity("0062", stage_name="Done", is_closed=True, is_won=True, close_date=date(2024, 3, 21)),
            opportunity("0063", stage_name="Done", is_closed=True, is_won=True, close_date=date(2024, 1, 1)),
        ],
        "salesforce.opportunity_field_history": [
            {
                "id": "a",
                "opportunity_id": "0061",
                "field": "StageName",
                "old_value": "Lead",
                "new_value": "Offer",
                "created_date": at(11),
            },
            {
                "id": "b",
                "opportunity_id": "0061",
                "field": "Amount",
                "old_value": "1",
                "new_value": "2",
                "created_date": at(12),
            },
        ],
    }
    unrecorded = [
        ("0062:created", "(not recorded)", False, False, at(10), 0),
        ("0062:closed", "Done", True, True, datetime(2024, 3, 21), 1),
        ("0063:created", "(not recorded)", False, False, at(10), 0),
        ("0063:closed", "Done", True, True, at(10), 1),  # never before creation
    ]
    built = build_crm(tables)
    assert stage_events(built) == [
        ("0061:created", "Lead", None, None, at(10), 0),
        ("a", "Offer", False, False, at(11), 1),
        *unrecorded,
    ]
    built.connection.close()
    built = build_crm(tables, salesforce_opportunity_history_source="none")
    assert stage_events(built) == [("0061:created", "Offer", False, False, at(10), 0), *unrecorded]


def test_salesforce_activities(build_crm: Build) -> None:
    built = build_crm(
        {
            "salesforce.task": [
                {
                    "id": "00T1",
                    "who_id": "00Q1",
                    "what_id": "0061",
                    "task_subtype": "Call",
                    "call_type": "Inbound",
                    "is_closed": True,
                }
                | {
                    "created_date": at(1),
                    "completed_date_time": at(2),
                    "call_duration_in_seconds": 61,
                    "owner_id": "0051",
                },
                {
                    "id": "00T2",
                    "who_id": "0031",
                    "what_id": "0011",
                    "task_subtype": "Email",
                    "is_closed": True,
                    "created_date": at(3),
                },
                {"id": "00T3", "who_id": "0031", "type": "Other", "is_closed": False, "created_date": at(4)},
                {"id": "00T4", "who_id": "0031", "is_deleted": True, "created_date": at(4)},
            ],
            "salesforce.event": [
                # Loaded before it took place, and never again: the stamp bounds nothing.
                {
                    "id": "00U1",
                    "who_id": "0031",
                    "start_date_time": at(9),
                    "end_date_time": at(9, 1),
                    "created_date": at(5),
                }
                | {"_fivetran_synced": at(6)}
            ],
        },
    )
    columns = "source_id, activity_type, direction, is_completed, record_type, opportunity_source_id, account_source_id"
    assert built.rows(f"select {columns} from int_input__salesforce_activity order by 1") == [
        ("00T1", "call", "inbound", True, "lead", "0061", None),
        ("00T2", "email", "outbound", True, "contact", None, "0011"),
        ("00T3", "task", None, False, "contact", None, None),
        ("00U1", "meeting", None, True, "contact", None, None),
    ]
    times = "source_id, occurred_at, recorded_at, loaded_at, duration_seconds"
    rows = built.rows(
        f"select {times} from int_input__salesforce_activity where source_id in ('00T1', '00U1') order by 1"
    )
    assert rows == [("00T1", at(2), at(2), None, 61), ("00U1", at(9), at(9), None, 3600)]


def test_salesforce_touch_is_a_response(build_crm: Build) -> None:
    member = {"campaign_id": "7011", "status": "Attended", "created_date": at(1), "has_responded": True}
    built = build_crm(
        {
            "salesforce.campaign": [{"id": "7011", "name": "Trade show"}],
            "salesforce.campaign_member": [
                {
                    "id": "a",
                    "lead_id": "00Q1",
                    "contact_id": "0031",
                    "first_responded_date": date(2024, 3, 5),
                    **member,
                },
                {"id": "b", "lead_id": None, "contact_id": "0032", **member},
                {"id": "c", "lead_id": "00Q1", **member} | {"has_responded": False, "status": "Sent"},
            ],
        },
    )
    columns = "source_id, record_type, record_source_id, occurred_at, campaign_name, interaction"
    assert built.rows(f"select {columns} from int_input__salesforce_touchpoint order by 1") == [
        ("a", "lead", "00Q1", datetime(2024, 3, 5), "Trade show", "Attended"),
        ("b", "contact", "0032", at(1), "Trade show", "Attended"),
    ]


def test_duplicated_parents_double_nothing(build_crm: Build) -> None:
    """A history-mode schema without its flag has every account, campaign and opportunity several times."""
    built = build_crm(
        {
            "salesforce.contact": [{"id": "0031", "account_id": "0011", "created_date": T0}],
            "salesforce.account": [{"id": "0011", "name": "A"}, {"id": "0011", "name": "B"}],
            "salesforce.opportunity": [opportunity("0061"), opportunity("0061", stage_name="Lead")],
            "salesforce.opportunity_history": [
                {"id": "a", "opportunity_id": "0061", "stage_name": "Offer", "created_date": at(10)}
            ],
            "hubspot.deal": [deal(1), deal(1)],
            "hubspot.deal_stage": [{"deal_id": 1, "value": "s1", "date_entered": at(10)}],
        },
    )
    assert built.value("select count(*) from int_input__salesforce_lead_record where record_type = 'contact'") == 1
    assert built.value("select count(*) from int_input__salesforce_opportunity_stage_event") == 1
    assert built.value("select count(*) from int_input__hubspot_opportunity_stage_event") == 1


# --- HubSpot ----------------------------------------------------------------------------------------------------------
def deal(deal_id: int, **columns: Any) -> dict[str, Any]:
    return {"deal_id": deal_id, "property_createdate": at(10), "deal_pipeline_stage_id": "s1", **columns}


def value(contact_id: int, name: str, text: str | None, when: datetime) -> dict[str, Any]:
    return {
        "contact_id": contact_id,
        "name": name,
        "value": text,
        "timestamp": when,
        "source": "CRM_UI",
        "source_id": "u1",
    }


def test_hubspot_statuses_are_the_values_of_two_properties(build_crm: Build) -> None:
    built = build_crm(
        {
            "hubspot.contact": [contact(1, property_hs_lifecyclestage_lead_date=at(77))],
            "hubspot.contact_property_history": [
                value(1, "lifecyclestage", "lead", at(1)),
                value(1, "lifecyclestage", "", at(2)),
                value(1, "lifecyclestage", None, at(2.5)),
                value(1, "lifecyclestage", "lead", at(3)),
                value(1, "hs_lead_status", "NEW", at(3)),
                value(1, "email", "a@b.example", at(3)),
            ],
        },
    )
    rows = built.rows(
        "select status_field, status_raw, occurred_at, recorded_at from int_input__hubspot_status_event order by 3, 1"
    )
    assert rows == [
        ("lifecyclestage", "lead", at(1), at(1)),
        ("hs_lead_status", "NEW", at(3), at(3)),
        ("lifecyclestage", "lead", at(3), at(3)),
    ]
    assert built.value("select count(distinct source_id) from int_input__hubspot_status_event") == 3
    assert built.rows(
        "select min(source_id) from int_input__hubspot_status_event where status_field = 'lifecyclestage'"
    ) == [(f"1:lifecyclestage:{int(at(1).replace(tzinfo=UTC).timestamp()) * 1_000_000}",)]


def test_hubspot_without_history_has_one_date_a_stage(build_crm: Build) -> None:
    dates = {
        "property_hs_lifecyclestage_lead_date": at(1),
        "property_hs_lifecyclestage_salesqualifiedlead_date": at(4),
        "property_lifecyclestage": "salesqualifiedlead",
    }
    built = build_crm(
        {"hubspot.contact": [contact(1, **dates), contact(2, property_lifecyclestage="lead"), contact(3)]}
    )
    rows = built.rows(
        "select record_source_id, status_raw, occurred_at from int_input__hubspot_status_event order by 1, 3"
    )
    assert rows == [("1", "lead", at(1)), ("1", "salesqualifiedlead", at(4)), ("2", "lead", T0)]


def test_hubspot_contact_that_was_merged_away_exists_while_something_refers_to_it(build_crm: Build) -> None:
    def audit(merged: int, kept: int, day: int) -> dict[str, Any]:
        return {"vid_to_merge": merged, "canonical_vid": kept, "contact_id": kept, "timestamp": at(day)}

    built = build_crm(
        {
            # 2 went into 3 and 3 into 4; the property of 4 also lists 2. Of 9 only the property knows.
            "hubspot.contact": [contact(4, property_hs_merged_object_ids="2; 3;9"), contact(5)],
            "hubspot.contact_merge_audit": [audit(2, 3, 20), audit(3, 4, 30), audit(8, 4, 35)],
            "hubspot.contact_property_history": [
                value(2, "lifecyclestage", "lead", at(-50)),
                value(2, "firstname", "x", at(-51)),
                value(4, "lifecyclestage", "lead", at(1)),
            ],
            "hubspot.engagement_contact": [{"engagement_id": 1, "contact_id": 9}],
        },
    )
    links = built.rows(
        "select from_source_id, to_source_id, occurred_at from int_input__hubspot_identity_link order by 1"
    )
    assert links == [("2", "3", at(20)), ("3", "4", at(30)), ("8", "4", at(35)), ("9", "4", T0)]
    records = built.rows(
        "select source_id, source_table, is_merged, occurred_at from int_input__hubspot_lead_record order by 1"
    )
    assert records == [
        ("2", "contact_merge_audit", True, at(-51)),  # known from its first mention on
        ("4", "contact", False, T0),
        ("5", "contact", False, T0),
        ("9", "contact_merge_audit", True, T0),
    ]


def test_hubspot_deals(build_crm: Build) -> None:
    built = build_crm(
        {
            "hubspot.deal": [deal(1, property_hs_salesforceopportunityid="0061"), deal(2), deal(3, is_deleted=True)],
            "hubspot.deal_contact": [{"deal_id": 1, "contact_id": 10}, {"deal_id": 1, "contact_id": 9}],
            "hubspot.deal_company": [
                {"deal_id": 1, "company_id": 70, "type_id": 341},
                {"deal_id": 1, "company_id": 100, "type_id": 5},
                {"deal_id": 2, "company_id": 100, "type_id": 341},
                {"deal_id": 2, "company_id": 70, "type_id": 341},
            ],
            "hubspot.merged_deal": [{"deal_id": 1, "merged_deal_id": 2}],
        },
    )
    columns = "source_id, record_type, record_source_id, account_source_id, mirrored_source_system, mirrored_source_id, is_deleted"
    assert built.rows(f"select {columns} from int_input__hubspot_opportunity order by 1") == [
        ("1", "contact", "9", "100", "salesforce", "0061", False),
        ("2", None, None, "70", None, None, True),
        ("3", None, None, None, None, None, True),
    ]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        # Today's schema: is_closed says closed, probability says won.
        (
            {
                "won": {"is_closed": True},
                "lost": {"is_closed": True},
                "open": {"is_closed": False},
                "named": {"is_closed": False},
            },
            {"won": (True, True), "lost": (True, False), "open": (False, False), "named": (False, False)},
        ),
        # closed_won of won stages only.
        (
            {
                "won": {"closed_won": True},
                "lost": {"closed_won": False},
                "open": {"closed_won": False},
                "named": {"closed_won": False},
            },
            {"won": (True, True), "lost": (True, False), "open": (False, False), "named": (False, False)},
        ),
        # closed_won of all closed stages.
        (
            {
                "won": {"closed_won": True},
                "lost": {"closed_won": True},
                "open": {"closed_won": False},
                "named": {"closed_won": False},
            },
            {"won": (True, True), "lost": (True, False), "open": (False, False), "named": (False, False)},
        ),
        # No flag at all.
        (
            {"won": {}, "lost": {}, "open": {}, "named": {}},
            {"won": (True, True), "lost": (True, False), "open": (False, False), "named": (False, False)},
        ),
    ],
)
def test_hubspot_stage_flags_in_every_schema(build_crm: Build, flags: Any, expected: Any) -> None:
    probability = {"won": 1.0, "lost": 0.0, "open": 0.4, "named": 0.9}
    stages = [
        {
            "stage_id": name,
            "label": "Closed won" if name == "named" else name,
            "probability": probability[name],
            **columns,
        }
        for name, columns in flags.items()
    ]
    built = build_crm({"hubspot.deal_pipeline_stage": stages}, "int_input__hubspot_stage_flag")
    rows = built.rows("select stage_id, is_closed, is_won from int_input__hubspot_stage_flag")
    assert {name: (is_closed, is_won) for name, is_closed, is_won in rows} == expected


def test_hubspot_deal_stages(build_crm: Build) -> None:
    stages = [
        {"stage_id": "s1", "label": "Talking", "probability": 0.2, "is_closed": False},
        {"stage_id": "s2", "label": "Won", "probability": 1.0, "is_closed": True},
    ]
    built = build_crm(
        {
            "hubspot.deal_pipeline_stage": stages,
            "hubspot.deal": [
                deal(1),
                deal(2, deal_pipeline_stage_id="s2", property_closedate=at(40), property_amount=10.0),
                deal(3),
            ],
            "hubspot.deal_stage": [
                {"deal_id": 1, "value": "s1", "date_entered": at(10)},
                {"deal_id": 1, "value": "s2", "date_entered": at(20)},
                {"deal_id": 1, "value": "s1", "date_entered": at(30)},
            ],
        },
    )
    columns = "opportunity_source_id, stage_raw, is_closed, is_won, occurred_at, amount"
    rows = built.rows(f"select {columns} from int_input__hubspot_opportunity_stage_event order by 1, 5")
    assert rows == [
        ("1", "Talking", False, False, at(10), None),
        ("1", "Won", True, True, at(20), None),
        ("1", "Talking", False, False, at(30), None),
        ("2", "(not recorded)", False, False, at(10), None),
        ("2", "Won", True, True, at(40), 10),
        ("3", "Talking", False, False, at(10), None),
    ]


def test_hubspot_engagements_count_once(build_crm: Build) -> None:
    def engagement(number: int, **columns: Any) -> dict[str, Any]:
        return {"engagement_id": number, "property_hs_createdate": at(1), "property_hs_timestamp": at(2), **columns}

    built = build_crm(
        {
            "hubspot.engagement_call": [
                engagement(1, property_hs_call_direction="OUTBOUND", property_hs_call_duration=61_400),
                engagement(2, property_hs_call_status="NO_ANSWER"),
            ],
            "hubspot.engagement_email": [engagement(3, property_hs_email_direction="INCOMING_EMAIL")],
            "hubspot.engagement_meeting": [
                {"engagement_id": 4, "start_time": at(9), "end_time": at(9, 1), "_fivetran_synced": at(3)},
                {"engagement_id": 5, "start_time": at(9), "meeting_outcome": "NO_SHOW"},
            ],
            "hubspot.engagement_task": [
                engagement(6, property_hs_task_status="NOT_STARTED"),
                engagement(7, _fivetran_deleted=True),
            ],
            "hubspot.engagement_contact": [
                {"engagement_id": 1, "contact_id": 10},
                {"engagement_id": 1, "contact_id": 9},
            ],
        },
    )
    columns = (
        "source_id, activity_type, direction, is_completed, record_source_id, occurred_at, loaded_at, duration_seconds"
    )
    assert built.rows(f"select {columns} from int_input__hubspot_activity order by 1") == [
        ("1", "call", "outbound", True, "9", at(2), None, 61),
        ("2", "call", None, False, None, at(2), None, None),
        ("3", "email", "inbound", True, None, at(2), None, None),
        ("4", "meeting", None, True, None, at(9), None, 3600),
        ("5", "meeting", None, False, None, at(9), None, None),
        ("6", "task", None, False, None, at(1), None, None),
    ]


def test_hubspot_touches(build_crm: Build) -> None:
    def event(event_id: str, kind: str, filtered: bool = False) -> dict[str, Any]:
        return {
            "id": event_id,
            "type": kind,
            "created": at(1),
            "recipient": "a@b.example",
            "email_campaign_id": 5,
            "filtered_event": filtered,
        }

    built = build_crm(
        {
            "hubspot.email_event": [
                event("1", "OPEN"),
                event("2", "CLICK"),
                event("3", "SENT"),
                event("4", "OPEN", True),
            ],
            "hubspot.email_event_click": [{"id": "2", "url": "https://a.example/x?utm_source=News%20Letter"}],
            "hubspot.email_campaign": [{"id": 5, "name": "May", "subject": "s"}],
            "hubspot.contact_form_submission": [
                {
                    "contact_id": 1,
                    "form_id": "f",
                    "conversion_id": "c",
                    "timestamp": at(2),
                    "page_url": "https://a.example/demo?gclid=G",
                },
                {"contact_id": 1, "form_id": "f", "timestamp": at(3)},
            ],
        },
    )
    columns = (
        "touchpoint_type, interaction, email, record_source_id, campaign_name, utm_source, click_id_type, landing_path"
    )
    assert built.rows(f"select {columns} from int_input__hubspot_touchpoint order by occurred_at, interaction") == [
        ("email", "click", "a@b.example", None, "May", "news letter", None, "/x"),
        ("email", "open", "a@b.example", None, "May", None, None, None),
        ("form", "form_submission", None, "1", None, None, "gclid", "/demo"),
        ("form", "form_submission", None, "1", None, None, None, None),
    ]
    assert built.value("select count(distinct source_id) from int_input__hubspot_touchpoint") == 4


def test_hubspot_names_the_salesforce_records_of_a_contact(build_crm: Build) -> None:
    built = build_crm(
        {"hubspot.contact": [contact(1, property_salesforceleadid="00Q1", property_salesforcecontactid="0031")]}
    )
    columns = "link_type, from_source_id, to_source_system, to_record_type, to_source_id"
    assert built.rows(f"select {columns} from int_input__hubspot_identity_link order by 4") == [
        ("explicit", "1", "salesforce", "contact", "0031"),
        ("explicit", "1", "salesforce", "lead", "00Q1"),
    ]


# --- times, URLs, web, ads, product -----------------------------------------------------------------------------------
@pytest.fixture
def build_all(run_dbt: RunDbt, all_manifest: Manifest, warehouse: Path, request: pytest.FixtureRequest) -> Build:
    def build(tables: Mapping[str, Sequence[Row]], *models: str, **variables: Any) -> Warehouse:
        required: dict[str, Sequence[Row]] = {
            "salesforce.lead": [lead("00Q0")],
            "hubspot.contact": [contact(1)],
            "web.page_view": [{"page_view_id": "p0"}],
            "ads.spend_daily": [{"platform": "x"}],
            "product.event": [{"event_id": "e0"}],
        }
        load_all(warehouse, {**required, **tables})
        run_dbt(
            ["build", *selection(models)],
            duckdb_path=warehouse,
            variables={"unmapped_status": "quarantine", **variables},
            manifest=all_manifest,
        )
        built = Warehouse(warehouse)
        request.addfinalizer(built.connection.close)
        return built

    return build


@pytest.fixture
def built_everything(build_all: Build) -> Warehouse:
    return build_all({})


TIMES = {
    "2024-03-01T10:00:00.250+01:00": datetime(2024, 3, 1, 9, 0, 0, 250_000),
    "2024-03-01T09:00:00Z": T0,
    "2024-03-01T09:00:00.000+0000": T0,
    "2024-03-01 04:00:00-05": T0,
    "2024-03-01 09:00:00 UTC": T0,
    "2024-03-01 9:00:00": T0,
    "2024-03-01 09:00": T0,
    "2024-03-01": datetime(2024, 3, 1),
    "2024-02-30 09:00:00": None,
    "2024-13-01T09:00:00Z": None,
    "01.03.2024 09:00": None,
    "last Tuesday": None,
    "": None,
}


def test_text_times_are_converted_or_null_and_kept_as_delivered(build_all: Build) -> None:
    views = [{"page_view_id": str(number), "viewed_at": text} for number, text in enumerate(TIMES)]
    built = build_all({"web.page_view": views})
    rows = built.rows(
        "select occurred_at_raw, occurred_at from int_input__web_touchpoint order by cast(source_id as integer)"
    )
    assert rows == list(TIMES.items())


def test_times_without_offset_are_utc_unless_the_connector_says_otherwise(build_all: Build) -> None:
    berlin = timezone(timedelta(hours=2))
    tables = {
        "product.event": [
            {"event_id": "summer", "occurred_at": "2024-07-01 12:00:00", "received_at": datetime(2024, 7, 1, 12, 0)},
            {"event_id": "winter", "occurred_at": "2024-01-01 12:00:00", "received_at": datetime(2024, 1, 1, 12, 0)},
            {"event_id": "offset", "occurred_at": "2024-07-01T12:00:00+05:00", "received_at": None},
        ],
        "hubspot.contact": [contact(1, property_createdate=datetime(2024, 7, 1, 12, 0, tzinfo=berlin))],
    }
    columns = "select source_id, occurred_at, recorded_at from int_input__product_product_event order by 1"
    built = build_all(tables)
    noon, winter, early = datetime(2024, 7, 1, 12, 0), datetime(2024, 1, 1, 12, 0), datetime(2024, 7, 1, 7, 0)
    assert built.rows(columns) == [("offset", early, None), ("summer", noon, noon), ("winter", winter, winter)]
    assert built.rows("select occurred_at from int_input__hubspot_lead_record") == [(datetime(2024, 7, 1, 10, 0),)]
    built.connection.close()
    built = build_all(tables, product_timezone="Europe/Berlin")
    ten, eleven = datetime(2024, 7, 1, 10, 0), datetime(2024, 1, 1, 11, 0)
    assert built.rows(columns) == [("offset", early, None), ("summer", ten, ten), ("winter", eleven, eleven)]


PAGE = "https://www.Shop.example:8080/Pricing/"
URLS: list[tuple[str | None, dict[str, str | None]]] = [
    (PAGE, {"page_domain": "shop.example", "landing_path": "/Pricing"}),
    ("https://shop.example", {"page_domain": "shop.example", "landing_path": "/"}),
    ("https://shop.example?utm_source=x", {"page_domain": "shop.example", "landing_path": "/", "utm_source": "x"}),
    ("/relative/path?utm_source=x#top", {"page_domain": None, "landing_path": "/relative/path", "utm_source": "x"}),
    (
        f"{PAGE}?utm_source=Google&utm_medium=CPC&utm_campaign=Spring+Sale&utm_content=a%26b&utm_term=caf%C3%A9&gclid=Ab_1#top",
        {
            "utm_source": "google",
            "utm_medium": "cpc",
            "utm_campaign": "Spring Sale",
            "utm_content": "a&b",
            "utm_term": "café",
        }
        | {"click_id": "Ab_1", "click_id_type": "gclid"},
    ),
    (f"{PAGE}?x=1&utm_source=&utm_medium=email", {"utm_source": None, "utm_medium": "email"}),
    (f"{PAGE}?not_utm_source=no&next=https://else.example/?a=1", {"utm_source": None, "landing_path": "/Pricing"}),
    (
        f"{PAGE}?utm_source=100%25&utm_medium=bad%zz&utm_campaign=%ff",
        {"utm_source": "100%", "utm_medium": "bad%zz", "utm_campaign": "%ff"},
    ),
    (f"{PAGE}#utm_source=fragment", {"utm_source": None}),
    (f"{PAGE}?fbclid=F&li_fat_id=L", {"click_id": "F", "click_id_type": "fbclid"}),
    ("", {"page_domain": None, "landing_path": None, "utm_source": None}),
    (None, {"page_domain": None, "landing_path": None, "utm_source": None}),
]


def test_urls_are_parsed(build_all: Build) -> None:
    built = build_all(
        {"web.page_view": [{"page_view_id": str(n), "page_url": url} for n, (url, _) in enumerate(URLS)]},
        "stg_web__page_view",
    )
    for number, (url, parts) in enumerate(URLS):
        row = built.rows(f"select {', '.join(parts)} from stg_web__page_view where page_view_id = '{number}'")[0]
        assert dict(zip(parts, row, strict=True)) == parts, url


def test_referrer_on_the_own_domain_is_navigation(build_all: Build) -> None:
    referrers = ["https://www.google.com/", "https://shop.example/home", "android-app://com.app", None]
    views = [{"page_view_id": str(n), "page_url": PAGE, "referrer_url": url} for n, url in enumerate(referrers)]
    built = build_all({"web.page_view": views})
    rows = built.rows("select referrer_domain from int_input__web_touchpoint order by source_id")
    assert rows == [("google.com",), (None,), ("com.app",), (None,)]


def test_browser_is_tied_to_the_named_contact_or_to_the_oldest_record_with_the_address(build_all: Build) -> None:
    built = build_all(
        {
            "hubspot.contact": [
                contact(1, property_email="Ann@b.example"),
                contact(2, property_createdate=at(-9), property_email="z@b.example"),
            ],
            "salesforce.lead": [
                lead("00Q1", email=" ann@B.example", created_date=at(-5)),
                lead("00Q2", email="ann@b.example"),
            ],
            "web.identify": [
                {
                    "identify_id": "a",
                    "visitor_id": "v1",
                    "hubspot_contact_id": 2,
                    "email": "ann@b.example",
                    "identified_at": at(1),
                },
                {"identify_id": "b", "visitor_id": "v2", "email": "ANN@b.example", "identified_at": at(1)},
                {"identify_id": "c", "visitor_id": "v3", "email": "nobody@b.example", "identified_at": at(1)},
            ],
        },
    )
    columns = "source_id, from_source_id, to_source_system, to_record_type, to_source_id"
    assert built.rows(f"select {columns} from int_input__web_identity_link order by 1") == [
        ("a", "v1", "hubspot", "contact", "2"),
        ("b", "v2", "salesforce", "lead", "00Q1"),
        ("c", "v3", None, None, None),
    ]


def test_ad_spend(build_all: Build) -> None:
    spend = {
        "platform": "google",
        "date": date(2024, 3, 1),
        "campaign_id": "7",
        "spend": 12.345,
        "currency": "USD",
        "clicks": 3,
    }
    built = build_all(
        {"ads.spend_daily": [spend], "ads.campaign": [{"platform": "google", "campaign_id": "7", "campaign_name": "n"}]}
    )
    columns = "source_id, campaign_source_id, spend_date, occurred_at, cast(amount as varchar), currency_code, clicks"
    assert built.rows(f"select {columns} from int_input__ads_spend") == [
        ("google:7:2024-03-01", "google:7", date(2024, 3, 1), datetime(2024, 3, 1), "12.35", "USD", 3)
    ]
    assert built.rows("select source_id from int_input__ads_campaign") == [("google:7",)]


# --- loaders that keep no history -------------------------------------------------------------------------------------
def test_snapshots_keep_the_history_that_the_loader_does_not(run_dbt: RunDbt, warehouse: Path) -> None:
    variables = {**CRM, "salesforce_status_source": "snapshot", "hubspot_status_source": "snapshot"}
    manifest = run_dbt(["parse"], duckdb_path=warehouse, variables=variables).manifest

    def sync(status: str, lifecycle: str, lead_status: str, modified: datetime) -> None:
        with duckdb.connect(warehouse) as connection:
            load_rows(connection, "salesforce.lead", [lead("00Q1", status=status, last_modified_date=modified)])
            properties = {"property_lifecyclestage": lifecycle, "property_hs_lead_status": lead_status}
            load_rows(connection, "hubspot.contact", [contact(1, property_lastmodifieddate=modified, **properties)])
        run_dbt(
            ["build", *EMITTERS, "salesforce_lead_status", "hubspot_contact_status"],
            duckdb_path=warehouse,
            variables=variables,
            manifest=manifest,
        )

    sync("New", "lead", "NEW", at(1))
    sync("New", "lead", "NEW", at(2))
    sync("Working", "lead", "OPEN", at(3))
    built = Warehouse(warehouse)
    assert built.rows("select status_raw, occurred_at from int_input__salesforce_status_event order by 2") == [
        ("New", at(1)),
        ("Working", at(3)),
    ]
    rows = built.rows("select status_field, status_raw, occurred_at from int_input__hubspot_status_event order by 3, 1")
    assert rows == [
        ("hs_lead_status", "NEW", at(1)),
        ("lifecyclestage", "lead", at(1)),
        ("hs_lead_status", "OPEN", at(3)),
    ]
    late = built.value("select count(*) from int_input__salesforce_status_event where recorded_at < current_date - 1")
    assert late == 0, "known only from the build that saw it"
    columns = {row[0] for row in built.rows("describe main_snapshots.salesforce_lead_status")}
    assert not columns & {"email", "full_name", "phone"}
    built.connection.close()


# --- the field map itself ---------------------------------------------------------------------------------------------
def test_field_map_and_staging_agree(all_manifest: Manifest) -> None:
    """Each mapped column is selected by its staging model, and each source has a staging model and a mapping."""
    mapped = pd.read_csv(ROOT / "seeds/policy/field_map.csv", dtype=str)
    assert not mapped.duplicated(["connector", "source_table", "staging_column"]).any()
    assert set(mapped["data_type"]) <= {"string", "timestamp", "date", "numeric", "bigint", "boolean"}
    tables = set(zip(mapped["connector"], mapped["source_table"], strict=True))
    sources = {
        (source.source_name, source.name)
        for source in all_manifest.sources.values()
        if source.package_name == "leadlag"
    }
    assert tables == sources
    for (connector, table), rows in mapped.groupby(["connector", "source_table"]):
        sql = (ROOT / f"models/staging/{connector}/stg_{connector}__{table}.sql").read_text(encoding="utf-8")
        for column in rows["staging_column"]:
            assert column in sql, f"stg_{connector}__{table} does not use {column}"
