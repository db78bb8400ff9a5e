"""What all connectors have in common: real tables of a loader, absent ones, spellings, the field map, the contract."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pandas as pd
import pytest
import yaml
from conftest import ROOT, RunDbt
from connector_build import (
    ALL,
    Built,
    at,
    build,
    builder,
    load,
    load_samples,
    rename_to_camel_case,
    rows,
    sample_files,
)

ReadCsv = Callable[[str], pd.DataFrame]
CRM_VARIABLES = {"connectors": ["salesforce", "hubspot"], "unmapped_status": "quarantine"}


# --- real tables of the loader ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def samples(shared_data: Path) -> Path:
    return shared_data / "fivetran_samples"


@pytest.fixture(scope="module")
def csv(samples: Path) -> ReadCsv:
    files = sample_files(samples)
    return lambda table: pd.read_csv(files[table], dtype=str)


@pytest.fixture(scope="module")
def samples_path(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("samples") / "leadlag.duckdb"
    load_samples(path, samples)
    return path


@pytest.fixture(scope="module")
def built(run_dbt: RunDbt, samples_path: Path) -> Iterator[Built]:
    result = build(run_dbt, samples_path)
    yield result
    result.close()


def current(versions: pd.DataFrame) -> pd.DataFrame:
    """Without the superseded versions of a history-mode schema."""
    return versions[versions["_fivetran_active"].fillna("true").str.lower() != "false"]


def delivered(built: Built, *, with_text_of_times: bool = True) -> dict[str, list[str]]:
    """All rows of all emitters, sorted."""
    content = {}
    for (name,) in built.rows("select table_name from information_schema.tables where table_name like 'int_input__%'"):
        times = {"occurred_at_raw", "created_at_raw", "merged_at_raw"}
        columns = [column for column in built.columns(name) if with_text_of_times or column not in times]
        content[name] = sorted(str(row) for row in built.rows(f"select {', '.join(columns)} from {name}"))
    return content


def test_samples_lead_records(built: Built, csv: ReadCsv) -> None:
    counts = dict(built.rows("select record_type, count(*) from int_input__salesforce_lead_record group by 1"))
    assert counts == {"lead": len(csv("salesforce.lead")), "contact": len(csv("salesforce.contact"))}
    contacts = csv("hubspot.contact")
    emails = {row[0] for row in built.rows("select email from int_input__hubspot_lead_record")}
    assert emails == set(contacts["property_email"])
    merged = {row[0] for row in built.rows("select source_id from int_input__hubspot_lead_record where is_merged")}
    listed = {number for ids in contacts["property_hs_merged_object_ids"].dropna() for number in ids.split(";")}
    audited = set(csv("hubspot.contact_merge_audit")["vid_to_merge"])
    assert merged == (listed | audited) & set(contacts["id"])


def test_samples_identity_links(built: Built, csv: ReadCsv) -> None:
    links = built.rows(
        "select link_type, from_source_id, to_source_id from int_input__hubspot_identity_link union all "
        "select link_type, from_source_id, to_source_id from int_input__salesforce_identity_link"
    )
    audit, leads = csv("hubspot.contact_merge_audit"), csv("salesforce.lead")
    expected = {("merge", row.vid_to_merge, row.canonical_vid) for row in audit.itertuples()}
    for row in csv("hubspot.contact").dropna(subset="property_hs_merged_object_ids").itertuples():
        expected |= {("merge", merged, row.id) for merged in row.property_hs_merged_object_ids.split(";")}
    expected |= {("conversion", row.id, row.converted_contact_id) for row in leads.itertuples()}
    assert len(links) == len(expected)
    assert set(links) == expected
    times = dict(built.rows("select from_source_id, occurred_at from int_input__hubspot_identity_link"))
    assert all(times[row.vid_to_merge] == pd.Timestamp(row.timestamp) for row in audit.itertuples())


def test_samples_deals(built: Built, csv: ReadCsv) -> None:
    entries, deals, stages = csv("hubspot.deal_stage"), csv("hubspot.deal"), csv("hubspot.deal_pipeline_stage")
    unrecorded = set(deals["deal_id"]) - set(entries["deal_id"])
    query = "select source_table, count(*) from int_input__hubspot_opportunity_stage_event group by 1"
    assert dict(built.rows(query)) == {"deal_stage": len(entries), "deal": len(unrecorded)}
    assert built.value("select count(*) from int_input__hubspot_opportunity") == len(deals)
    won = (stages["is_closed"] == "TRUE") & (stages["probability"].astype(float) == 1)
    assert built.value("select count(*) from int_input__hubspot_stage_flag where is_won") == won.sum()


def test_samples_history_mode_copy_is_no_opportunity_history(built: Built, csv: ReadCsv) -> None:
    assert len(csv("salesforce.opportunity_history")) > 0
    assert built.value("select count(*) from int_input__salesforce_opportunity_state") == 0
    opportunities = csv("salesforce.opportunity")
    now = current(opportunities)
    assert 0 < len(now) < len(opportunities)
    flags = built.rows("select source_id, is_closed, is_won, is_deleted from int_input__salesforce_opportunity")
    assert set(flags) == {(row.id, row.is_closed == "true", row.is_won == "true", True) for row in now.itertuples()}
    events = built.value("select count(*) from int_input__salesforce_opportunity_stage_event")
    assert events == 0, "all of them are deleted, and nothing is reconstructed for what is deleted"


def test_samples_probability_is_divided_and_never_repaired(built: Built, csv: ReadCsv) -> None:
    percent = current(csv("salesforce.opportunity"))["probability"].dropna().astype(float)
    kept = built.rows("select probability from stg_salesforce__opportunity where probability is not null order by 1")
    assert [row[0] for row in kept] == pytest.approx(sorted(percent / 100))
    assert percent.max() == 1000, "the file has a value that no probability can be"


def test_samples_superseded_versions_are_left_out(built: Built, csv: ReadCsv) -> None:
    for table in ("account", "user", "user_role", "task", "event"):
        count = built.value(f"select count(*) from stg_salesforce__{table}")
        assert count == len(current(csv(f"salesforce.{table}"))), table


def test_samples_touchpoints(built: Built, csv: ReadCsv) -> None:
    events, submissions = csv("hubspot.email_event"), csv("hubspot.contact_form_submission")
    touches = events["type"].isin(["OPEN", "CLICK"]) & (events["filtered_event"] == "false")
    counts = dict(built.rows("select source_table, count(*) from int_input__hubspot_touchpoint group by 1"))
    assert counts == {"email_event": touches.sum(), "contact_form_submission": len(submissions)}


def test_samples_times_are_read(built: Built, csv: ReadCsv) -> None:
    """The files write 3:15:52 as well as 11:20:31.430."""
    for table, column in (("deal_stage", "entered_at"), ("contact_property_history", "changed_at")):
        assert built.value(f"select count(*) from stg_hubspot__{table} where {column} is null") == 0
    loaded = {row[0] for row in built.rows("select loaded_at from stg_hubspot__company")}
    assert loaded == set(pd.to_datetime(csv("hubspot.company")["_fivetran_synced"]).dt.to_pydatetime())


def test_samples_as_text_and_typed_give_the_same_rows(
    run_dbt: RunDbt, samples: Path, warehouse: Path, built: Built
) -> None:
    load_samples(warehouse, samples, as_text=False)
    typed = build(run_dbt, warehouse)
    content = delivered(typed, with_text_of_times=False)
    typed.close()
    for name, expected in delivered(built, with_text_of_times=False).items():
        assert content[name] == expected, name


def test_samples_in_camel_case_give_the_same_rows(
    run_dbt: RunDbt, samples: Path, warehouse: Path, built: Built
) -> None:
    load_samples(warehouse, samples)
    rename_to_camel_case(warehouse, "salesforce")
    respelt = build(run_dbt, warehouse)
    content = delivered(respelt)
    respelt.close()
    assert sum(len(content[name]) for name in content if "salesforce" in name) > 50
    for name, expected in delivered(built).items():
        assert content[name] == expected, name


# --- absent columns and tables ----------------------------------------------------------------------------------------
def test_absent_columns_and_tables_become_typed_nulls_and_empty_relations(run_dbt: RunDbt, warehouse: Path) -> None:
    load(warehouse, {"salesforce.lead": rows("Id Status", ("00Q1", "New")), "hubspot.contact": rows("id", (7,))})
    built = build(run_dbt, warehouse)
    record = built.rows("select lead_id, email, created_at, employee_count, is_deleted from stg_salesforce__lead")
    assert record == [("00Q1", None, None, None, None)]
    lead, opportunity = built.columns("stg_salesforce__lead"), built.columns("stg_salesforce__opportunity")
    assert [lead[name] for name in ("email", "created_at", "employee_count")] == ["VARCHAR", "TIMESTAMP", "BIGINT"]
    assert [opportunity[name] for name in ("amount", "close_date", "is_won")] == ["DECIMAL(18,2)", "DATE", "BOOLEAN"]
    relations = built.rows("select table_name from information_schema.tables where table_schema = 'main_staging'")
    empty = {name for (name,) in relations} - {"stg_salesforce__lead", "stg_hubspot__contact"}
    assert len(empty) > 30
    assert [name for name in empty if built.value(f"select count(*) from {name}")] == []
    built.close()


def test_absent_required_table_is_one_error_before_anything_is_built(run_dbt: RunDbt, warehouse: Path) -> None:
    load(warehouse, {"salesforce.contact": rows("id", ("0031",)), "hubspot.contact": rows("id", (1,))})
    run = run_dbt(["build"], duckdb_path=warehouse, variables=CRM_VARIABLES, may_fail=True)
    message = "\n".join(run.messages.values())
    assert not run.success
    assert message.count("required table") == 1
    for part in ("connector salesforce", "'lead'", "schema 'salesforce'", "salesforce_schema", "salesforce_lead_ident"):
        assert part in message, message
    with duckdb.connect(warehouse) as connection:
        query = "select table_name from information_schema.tables where table_schema like 'main%'"
        assert connection.execute(query).fetchall() == []


def test_compiling_needs_no_tables(run_dbt: RunDbt, warehouse: Path) -> None:
    """The docs site and the linter compile without a warehouse."""
    run_dbt(["compile"], duckdb_path=warehouse, variables=CRM_VARIABLES)


def test_schema_and_table_can_be_named(run_dbt: RunDbt, warehouse: Path) -> None:
    load(warehouse, {"crm.sf_lead": rows("id", ("00Q1",))})
    names = {"salesforce_schema": "crm", "salesforce_lead_identifier": "sf_lead"}
    built = build(run_dbt, warehouse, ["int_input__salesforce_lead_record"], ["salesforce"], names)
    assert built.rows("select source_id from int_input__salesforce_lead_record") == [("00Q1",)]
    built.close()


# --- the field map and the contract -----------------------------------------------------------------------------------
def test_field_map_decides_which_column_is_read(run_dbt: RunDbt, warehouse: Path) -> None:
    columns = "id Region__c Sales_Region__c phone mobile_phone"
    tables = {"salesforce.lead": rows(columns, ("00Q1", "EMEA", "DACH", None, "0170"))}
    query = "select region, phone from stg_salesforce__lead"
    built = builder(run_dbt, warehouse, ["salesforce", "hubspot"])(tables, "stg_salesforce__lead")
    assert built.rows(query) == [("EMEA", None)], "the first name that exists is read, be it empty"
    built.close()
    with duckdb.connect(warehouse) as connection:
        connection.execute(
            "update main_policy.field_map set source_column = "
            "case staging_column when 'region' then 'sales_region_c' else 'no_such_column|mobile_phone' end "
            "where connector = 'salesforce' and source_table = 'lead' and staging_column in ('region', 'phone')"
        )
    select = ["run", "--select", "stg_salesforce__lead"]
    run_dbt(select, duckdb_path=warehouse, variables=CRM_VARIABLES)
    built = Built(warehouse)
    assert built.rows(query) == [("DACH", "0170")]
    built.close()


def test_exact_spelling_wins_over_a_like_one(run_dbt: RunDbt, warehouse: Path) -> None:
    tables = {"salesforce.lead": rows("id createddate CREATED_DATE", ("00Q1", at(1), at(2)))}
    built = builder(run_dbt, warehouse, ["salesforce", "hubspot"])(tables, "stg_salesforce__lead")
    assert built.value("select created_at from stg_salesforce__lead") == at(2)
    built.close()


def test_columns_of_any_type_are_cast_or_null(run_dbt: RunDbt, warehouse: Path) -> None:
    columns = "id owner_id is_deleted created_date converted_date number_of_employees status"
    tables = {
        "salesforce.lead": rows(columns, (UUID(int=7), 12, 1, "n/a", at(1), "12.0", "")),
        "salesforce.opportunity": rows("id amount close_date is_won", ("0061", "1e3", "2024-03-01T10:00:00Z", "Yes")),
    }
    models = ("stg_salesforce__lead", "stg_salesforce__opportunity")
    built = builder(run_dbt, warehouse, ["salesforce", "hubspot"])(tables, *models)
    columns = "lead_id, owner_id, is_deleted, created_at, created_at_raw, converted_at, employee_count, status"
    expected = (str(UUID(int=7)), "12", True, None, "n/a", at(1), 12, None)
    assert built.rows(f"select {columns} from stg_salesforce__lead") == [expected]
    columns = "cast(amount as varchar), close_date, is_won"
    assert built.rows(f"select {columns} from stg_salesforce__opportunity") == [("1000.00", date(2024, 3, 1), True)]
    built.close()


def test_field_map_and_staging_agree(run_dbt: RunDbt, warehouse: Path) -> None:
    """Each mapped column is used by its staging model, and each source of a connector has a mapping."""
    mapped = pd.read_csv(ROOT / "seeds/policy/field_map.csv", dtype=str)
    assert not mapped.duplicated(["connector", "source_table", "staging_column"]).any()
    assert set(mapped["data_type"]) <= {"string", "timestamp", "date", "numeric", "bigint", "boolean"}
    manifest = run_dbt(["parse"], duckdb_path=warehouse, variables={"connectors": list(ALL)}).manifest
    assert manifest is not None
    declared = {(source.source_name, source.name) for source in manifest.sources.values()}
    sources = {(connector, table) for connector, table in declared if connector in ALL}
    assert set(zip(mapped["connector"], mapped["source_table"], strict=True)) == sources
    for row in mapped.itertuples():
        model = f"stg_{row.connector}__{row.source_table}"
        sql = (ROOT / f"models/staging/{row.connector}/{model}.sql").read_text(encoding="utf-8")
        assert row.staging_column in sql, f"{model} does not use {row.staging_column}"


def test_emitters_deliver_only_columns_of_the_contract(run_dbt: RunDbt, warehouse: Path) -> None:
    """A misspelt column would be a null in the contract, and nobody would know."""
    like: dict[str, set[str]] = {
        "string": {"VARCHAR"},
        "numeric(18,2)": {"DECIMAL(18,2)"},
        "double precision": {"DOUBLE", "FLOAT"},
        "bigint": {"BIGINT", "INTEGER"},
    }
    built = builder(run_dbt, warehouse, ALL)({})
    emitters: list[str] = []
    yml: Any = yaml.safe_load((ROOT / "models/intermediate/input/_input.yml").read_text(encoding="utf-8"))
    for model in yml["models"]:
        if not model["name"].endswith("_checked"):
            continue
        types = {column["name"]: column["data_type"] for column in model["columns"]}
        for connector in ALL:
            name = model["name"].replace("__", f"__{connector}_").removesuffix("_checked")
            columns = built.columns(name)
            assert set(columns) <= set(types), name
            for column, kind in columns.items():
                assert kind in like.get(types[column], {types[column].upper()}), f"{name}.{column}"
            emitters += [name] if columns else []
    built.close()
    assert len(emitters) == 26
