"""Audits: what a broken load or a tampered mart looks like, and that nothing gets published then.

One small company is simulated and built once; each test breaks a copy of it in one way.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest
from conftest import GROUND_ONLY, ROOT, RunDbt, mart_digests
from leadlag.audit import publish
from leadlag.audit.command import UnusableError
from leadlag.audit.results import COLUMNS
from leadlag.audit.suites import SuiteError, load_checkpoint
from leadlag.cli import FAILED, OK, USAGE, CommandError, main
from leadlag.compare import Mart, compare, read_marts
from leadlag.warehouse import find_target, opened

SUITES = ROOT / "great_expectations"
RUN_AT = "2026-01-01T04:00:00"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, run_dbt: RunDbt, profiles_dir: Path) -> Path:
    """A warehouse with the raw tables of 400 leads and everything that is built from them."""
    path = tmp_path_factory.mktemp("audited") / "leadlag.duckdb"
    with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
        words = ["simulate", "--leads", "400", "--until", "2025-12-31", "--quiet", "--profiles-dir", str(profiles_dir)]
        assert main(words) == OK
    run_dbt(["build", "--exclude-resource-type", "unit_test", "test", "snapshot"], duckdb_path=path)
    return path


@pytest.fixture
def company(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the built warehouse, which the profile names."""
    path = tmp_path / "leadlag.duckdb"
    shutil.copy(built, path)
    monkeypatch.setenv("LEADLAG_DUCKDB_PATH", str(path))
    monkeypatch.setenv("LEADLAG_TARGET", "duckdb")
    return path


Command = Callable[..., int]


@pytest.fixture
def command(profiles_dir: Path, tmp_path: Path) -> Command:
    """Runs `leadlag audit` or `leadlag publish` on the company and returns the exit code."""

    def run(name: str, *words: str, run_at: str = RUN_AT) -> int:
        places = ["--profiles-dir", str(profiles_dir), "--project-dir", str(ROOT), "--site", str(tmp_path / "site")]
        return main([name, *places, "--run-at", run_at, "--quiet", *words])

    return run


def change(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def select(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def failures(path: Path) -> set[tuple[str, str | None, str]]:
    """Table, column and expectation of what failed in the last run."""
    sql = "select table_name, column_name, expectation from main_audit.data_quality_result where not is_passed"
    return set(select(path, f"{sql} and run_at = (select max(run_at) from main_audit.data_quality_result)"))


# --- what passes --------------------------------------------------------------------------------------------------


def test_the_demo_company_with_its_planted_defects_passes(company: Path, command: Command, tmp_path: Path) -> None:
    assert command("audit") == OK
    rows = select(
        company, "select suite, count(*), count(distinct table_name) from main_audit.data_quality_result group by 1"
    )
    assert {suite for suite, _, _ in rows} == {"raw", "marts"}
    # Every declared table was checked: a suite that finds nothing to do would pass everything.
    for suite, _, tables in rows:
        assert tables == len({one.table for one in load_checkpoint(SUITES, suite)})
    # Tolerances are in use: planted defects are seen, and let pass.
    assert select(company, "select count(*) from main_audit.data_quality_result where unexpected_count > 0") > [(3,)]

    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "fct_journey" in page and "lead_history" in page
    assert not re.findall(r"""(?:src|href)\s*=|url\(|@import|<script|<link""", page)

    # A second run adds its rows and is compared with the first.
    assert command("audit", run_at="2026-01-02T04:00:00") == OK
    assert select(company, "select count(distinct run_at) from main_audit.data_quality_result") == [(2,)]
    trend = "select previous_run_at, failed_check_change from main_marts.data_quality_trend"
    rows = select(
        company, f"{trend} where run_at = '2026-01-02 04:00:00' and schema_name = 'salesforce' and table_name = 'lead'"
    )
    assert [(str(before), change) for before, change in rows] == [("2026-01-01 04:00:00", 0)]


# --- broken loads -------------------------------------------------------------------------------------------------

IN_SET, FILLED = "expect_column_values_to_be_in_set", "expect_column_values_to_not_be_null"
VOLUME, BETWEEN = "expect_table_row_count_to_be_between", "expect_column_values_to_be_between"
COLUMNS_THERE, UNIQUE = "expect_table_columns_to_match_set", "expect_column_values_to_be_unique"
# What is done to the load, and all that must fail for it. Each breaks tables of its own, so one audit judges them all.
BROKEN_LOADS = {
    "half of the keys are null": (
        "update salesforce.task set id = null where hash(id) % 2 = 0",
        {("task", "id", FILLED)},
    ),
    "a column is missing": (
        "alter table salesforce.contact drop column created_date",
        {
            ("contact", None, COLUMNS_THERE),
            ("contact", "created_date", FILLED),
            ("contact", "created_date_is_plausible", IN_SET),
        },
    ),
    "a table is empty": ("delete from hubspot.deal", {("deal", None, VOLUME)}),
    "a table is missing": ("drop table product.event", {("event", None, "table exists")}),
    "everything was loaded twice": (
        "insert into web.page_view select * from web.page_view",
        {("page_view", "page_view_id", UNIQUE)},
    ),
    "times are local text": (
        "alter table web.identify alter identified_at type varchar using strftime(identified_at, '%d/%m/%Y')",
        {("identify", "identified_at_is_plausible", IN_SET)},
    ),
    "the parent table was filtered": (
        "delete from salesforce.opportunity where hash(id) % 2 = 0",
        {
            ("opportunity_field_history", "opportunity_is_delivered", IN_SET),
            ("opportunity_history", "opportunity_is_delivered", IN_SET),
        },
    ),
    "columns are shifted": (
        "update hubspot.email_event set type = recipient",
        {("email_event", "type", IN_SET)},
    ),
    "amounts have the wrong sign": (
        "update ads.spend_daily set spend = -spend - 1",
        {("spend_daily", "spend_is_not_negative", IN_SET)},
    ),
}


def test_broken_loads_fail_with_table_column_and_rule(
    company: Path, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    change(company, *(statement for statement, _ in BROKEN_LOADS.values()))
    assert command("audit", "--suite", "raw") == FAILED
    expected = set.union(*(broken for _, broken in BROKEN_LOADS.values()))
    assert failures(company) == expected
    printed = capsys.readouterr().out
    for table, column, _ in expected:
        assert re.search(rf"FAILED \w+\.{table} {re.escape(column or '(table)')}: ", printed)
    assert printed.count("remedy ") == len(expected)


def test_failing_rows_are_listed_by_key_and_without_personal_data(company: Path, command: Command) -> None:
    people = {text for (text,) in select(company, "select distinct recipient from hubspot.email_event")}
    change(company, "update hubspot.email_event set type = recipient")
    assert command("audit", "--suite", "raw", "--failing-rows", "3") == FAILED
    keys, unexpected, checked = select(
        company,
        "select failing_keys, unexpected_count, checked_count from main_audit.data_quality_result "
        "where table_name = 'email_event' and column_name = 'type' and not is_passed",
    )[0]
    delivered = {text for (text,) in select(company, "select id from hubspot.email_event")}
    listed = json.loads(keys)
    assert len(listed) == 3 and {row["id"] for row in listed} <= delivered
    assert unexpected == checked == len(delivered)
    stored = select(company, "select * from main_audit.data_quality_result")
    assert people and not any(address in str(row) for row in stored for address in people)


def test_another_spelling_of_columns_and_a_lacking_optional_table_are_no_failure(
    company: Path, command: Command
) -> None:
    change(
        company,
        'alter table salesforce.lead rename column created_date to "CreatedDate"',
        'alter table salesforce.lead rename column id to "Id"',
        "drop table salesforce.opportunity_history",
    )
    assert command("audit", "--suite", "raw") == OK


def test_connectors_that_are_off_are_not_asked_for(company: Path, command: Command) -> None:
    change(company, "drop table product.event")
    assert command("audit", "--suite", "raw", "--vars", "{connectors: [salesforce, hubspot]}") == OK
    tables = select(company, "select distinct schema_name from main_audit.data_quality_result order by 1")
    assert tables == [("hubspot",), ("salesforce",)]


# --- tampered marts -----------------------------------------------------------------------------------------------

TAMPERED_MARTS = {
    "a rate outside its interval": (
        "update main_marts.conversion_rate set rate_low = rate_high + 0.1 where cut_name = 'region'",
        {("conversion_rate", "rate_is_in_its_interval", IN_SET)},
    ),
    "journeys of nobody": (
        "delete from main_marts.dim_person where person_key % 10 = 0",
        {("fct_journey", "person_is_known", IN_SET)},
    ),
    "many rows refused": (
        "update main_intermediate.int_input__touchpoint_checked set quarantine_rule = 'missing_key' "
        "where touchpoint_key % 2 = 0",
        {("refused_share", "refused_share", BETWEEN)},
    ),
    "a source that stopped half a year ago": (
        "delete from main_marts.fct_touchpoint where occurred_at > '2025-06-30'",
        {("newest_rows", "is_recent", IN_SET)},
    ),
    "a year without entries": (
        "delete from main_marts.fct_journey where year(entered_date) = 2024",
        {
            ("monthly_entries", "is_not_a_gap", IN_SET),
            ("fct_stage_event", "journey_is_known", IN_SET),
            ("fct_touchpoint", "journey_is_known", IN_SET),
            ("fct_activity", "journey_is_known", IN_SET),
            ("fct_conversion", "journey_is_known", IN_SET),
        },
    ),
    "shares that do not add up": (
        "update main_marts.time_to_convert set cumulative_loss = cumulative_loss + 0.01",
        {("time_to_convert", "shares_add_up", IN_SET)},
    ),
    "an empty mart": ("delete from main_marts.conversion_cohort", {("conversion_cohort", None, VOLUME)}),
}


def test_tampered_marts_fail(company: Path, command: Command) -> None:
    change(company, *(statement for statement, _ in TAMPERED_MARTS.values()))
    assert command("audit", "--suite", "marts") == FAILED
    assert failures(company) == set.union(*(broken for _, broken in TAMPERED_MARTS.values()))


# --- publishing ---------------------------------------------------------------------------------------------------


@pytest.fixture
def build(run_dbt: RunDbt, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """dbt in this process instead of one of its own; the list has the warehouses that were built."""
    built: list[Path] = []

    def run(place: publish.Place, _: Any) -> None:
        assert isinstance(place, publish.DuckDBPlace)
        built.append(place.copy)
        run_dbt(["run", "--select", "dim_date", "data_quality_trend"], duckdb_path=place.copy)
        change(place.copy, "create or replace table main_marts.built_by as select 'this run' as run")

    monkeypatch.setattr(publish, "_build", run)
    yield built


def test_marts_are_published_after_both_audits(company: Path, command: Command, build: list[Path]) -> None:
    with duckdb.connect(str(company), read_only=True) as reader:
        assert command("publish") == OK
        # Who reads on, reads the marts that were there when they began.
        tables = reader.execute("select table_name from information_schema.tables").fetchall()
        assert ("built_by",) not in tables
    assert build == [company.parent / ".pending" / "leadlag.duckdb"]
    assert select(company, "from main_marts.built_by") == [("this run",)]
    assert select(company, "select distinct suite from main_marts.data_quality_trend order by 1") == [
        ("marts",),
        ("raw",),
    ]


def test_failing_sources_stop_the_run_before_the_build(company: Path, command: Command, build: list[Path]) -> None:
    change(company, "update salesforce.lead set id = null where hash(id) % 2 = 0")
    before = mart_digests(company)
    # A reader must not keep the results from being recorded.
    with duckdb.connect(str(company), read_only=True):
        assert command("publish") == FAILED
    assert build == []
    assert mart_digests(company) == before
    assert ("lead", "id", FILLED) in failures(company)


def test_failing_marts_are_not_published(company: Path, command: Command, build: list[Path]) -> None:
    change(company, "update main_marts.conversion_rate set rate_low = 2 where denominator > 0")
    before = mart_digests(company)
    assert command("publish") == FAILED
    assert len(build) == 1
    assert mart_digests(company) == before
    assert ("conversion_rate", "rate_is_in_its_interval", IN_SET) in failures(company)


def test_a_load_during_the_run_is_not_lost(company: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = "insert into product.event (event_id) values ('loaded meanwhile')"
    monkeypatch.setattr(publish, "_build", lambda *_: change(company, loaded))
    assert command("publish") == FAILED
    assert select(company, "select count(*) from product.event where event_id = 'loaded meanwhile'") == [(1,)]


def test_a_failed_build_leaves_the_marts(company: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(place: Any, _: Any) -> None:
        change(place.copy, "drop table main_marts.fct_journey")
        raise CommandError("dbt build failed")

    monkeypatch.setattr(publish, "_build", fail)
    before = mart_digests(company)
    assert command("publish") == FAILED
    assert mart_digests(company) == before


# --- publishing on PostgreSQL -------------------------------------------------------------------------------------

# Loads after a build: changed, missing and re-addressed rows.
LOADS = (
    "update salesforce.lead_history set new_value = old_value where old_value <> '' and hashtext(id) % 10 = 0",
    "delete from web.page_view where hashtext(page_view_id) % 10 = 0",
    "update salesforce.lead set email = 'new.' || email where hashtext(id) % 10 = 0",
    "delete from salesforce.lead_history where hashtext(id) % 10 = 1",
    "update web.page_view set visitor_id = 'somebody else' where hashtext(page_view_id) % 10 = 1",
    "update salesforce.lead set email = 'other.' || email where hashtext(id) % 10 = 1",
)


@pytest.fixture
def server(
    postgres_server: dict[str, str], profiles_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Environment of target postgres, in which this process is, too."""
    environment = {
        **postgres_server,
        "DBT_PROFILES_DIR": str(profiles_dir),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
        "LEADLAG_TARGET": "postgres",
        "LEADLAG_SCHEMA": "published",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.mark.long
def test_a_build_goes_on_from_published_marts(
    server: dict[str, str], command: Command, run_dbt: RunDbt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What builds remember is published with the tables that it describes: build, publish, build is a full build."""
    monkeypatch.setenv("DBT_EXCLUDE_RESOURCE_TYPES", "test unit_test snapshot")

    def build(*flags: str) -> dict[str, Mart]:
        """A build in place, and its marts."""
        words = ["build", *flags, "--exclude-resource-type", "test", "unit_test", "snapshot", *GROUND_ONLY]
        run_dbt(words, duckdb_path=tmp_path / "none", environment=server)
        with opened("postgres") as warehouse:
            found = read_marts(warehouse)
        found.pop("data_quality_trend", None)
        return found

    def load(*statements: str) -> None:
        with opened("postgres") as warehouse:
            for statement in statements:
                warehouse.execute(statement)
            warehouse.finish()

    def remembered() -> tuple[list[tuple[Any, ...]], dict[Any, Any]]:
        with opened("postgres") as warehouse:
            builds = warehouse.query("select build_number, invocation_id from published_build.build order by 1")
            state = warehouse.query("select model, rebuilt_in from published_build.model_state")
            assert not warehouse.tables("published_pending_build")
        return list(builds.itertuples(index=False, name=None)), dict(state.itertuples(index=False, name=None))

    company = ["--leads", "300", "--seed", "11", "--until", "2025-12-31", "--target", "postgres"]
    assert main(["simulate", "--quiet", *company]) == OK
    build("--select", "+fct_stage_event")
    before, _ = remembered()
    load(*LOADS[:3])
    assert command("publish") == OK
    after, _ = remembered()
    assert [number for number, _ in after] == [1] and before != after
    load(*LOADS[3:])
    lived_on = build()
    builds, rebuilt_in = remembered()
    assert [number for number, _ in builds] == [1, 2]
    kept = {model.split(".")[2] for model, number in rebuilt_in.items() if number == 1}
    assert {"int_input__status_event_checked", "fct_journey", "fct_touchpoint", "fct_conversion"} <= kept
    full = build("--full-refresh")
    assert len(full["fct_journey"].rows) > 100
    assert compare({"full": full, "lived on": lived_on}) == []


@pytest.mark.usefixtures("server")
def test_publishing_and_builds_in_place_keep_out_of_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLAG_SCHEMA", "apart")
    place, elsewhere = (publish.PostgresPlace(find_target("postgres")) for _ in range(2))
    with place.alone(tmp_path / "here"):
        with pytest.raises(UnusableError, match="another run publishes schema apart"), elsewhere.alone(tmp_path):
            pass
        place.prepare()
        columns = "only_one boolean primary key, invocation_id text, holder text, login text, since timestamptz"
        with opened("postgres") as build:
            for schema in ("apart_policy", "apart_pending_policy"):
                build.execute(f"create schema if not exists {schema}")
                build.execute(f"create table if not exists {schema}.build_lock ({columns})")
            build.execute("set application_name = 'leadlag of a build'")
            build.execute(
                "insert into apart_policy.build_lock values (true, 'x', 'leadlag of a build', 'somebody', now())"
            )
            build.finish()
            with pytest.raises(CommandError, match="a build of schema apart is running"):
                place.publish()
        # That build was killed: its connection has gone, and its lock counts for nothing.
        place.publish()
        with opened("postgres") as warehouse:
            assert len(warehouse.query("select 1 from apart_policy.build_lock")) == 1
            warehouse.execute("delete from apart_policy.build_lock")
            warehouse.finish()
    with elsewhere.alone(tmp_path):
        pass


# --- unusable input -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("company")
def test_unusable_input_is_told_from_failed_expectations(
    command: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("audit", "--run-at", "yesterday") == USAGE
    assert command("audit", "--target", "spark") == USAGE
    assert command("audit", "--suites-dir", str(tmp_path)) == USAGE
    monkeypatch.setenv("LEADLAG_DUCKDB_PATH", str(tmp_path / "nowhere.duckdb"))
    assert command("audit") == USAGE
    printed = capsys.readouterr().err
    for part in ("yesterday", "spark", "--suites-dir", "nowhere.duckdb"):
        assert part in printed


def test_a_profile_that_cannot_be_sent_elsewhere_is_refused(
    company: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fixed"
    folder.mkdir()
    (folder / "profiles.yml").write_text(
        f"leadlag: {{target: duckdb, outputs: {{duckdb: {{type: duckdb, path: '{company}', schema: main}}}}}}\n"
    )
    words = ["--profiles-dir", str(folder), "--project-dir", str(ROOT), "--run-at", RUN_AT, "--quiet"]
    assert main(["publish", *words]) == USAGE
    assert "LEADLAG_DUCKDB_PATH" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{key: [id], expectations: [{expectation: expect_x, rule: r}]}", "remedy"),
        ("{expectations: []}", "key"),
        ("{key: [id], expectation: []}", "unknown expectation"),
        ("{key: [id], query: with a as (select 1), expectations: []}", "must begin with select"),
    ],
)
def test_a_wrong_suite_names_file_and_table(entry: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "suites").mkdir()
    (tmp_path / "checkpoints" / "raw.yml").write_text("suites: [own.yml]\n")
    (tmp_path / "suites" / "own.yml").write_text(f"place: web\ntables:\n  visits: {entry}\n")
    with pytest.raises(SuiteError, match=rf"own\.yml, table visits.*{message}"):
        load_checkpoint(tmp_path, "raw")


def test_the_macro_and_the_command_make_the_same_table(company: Path, command: Command) -> None:
    """dbt creates the table when it is missing, the audit when dbt has not."""
    described = "select column_name, data_type from duckdb_columns() where table_name = 'data_quality_result' order by column_index"
    by_dbt = select(company, described)
    assert [name for name, _ in by_dbt] == COLUMNS.names
    change(company, "drop table main_audit.data_quality_result")
    assert command("audit", "--suite", "raw") == OK
    assert select(company, described) == by_dbt
