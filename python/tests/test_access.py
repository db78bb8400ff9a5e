"""Who may read what, tried as each role on a real server, and as files on DuckDB.

Every attempt is a statement that PostgreSQL itself refuses or answers; nothing here trusts what the project says of it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import psycopg2
import pytest
from conftest import DbtRun, RunDbt

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = "access"
MARTS = f"{SCHEMA}_marts"
PASSWORD = "test"
# Marts with personal data, which the role leadlag_pii alone may read.
PERSONAL = {"dim_person_contact", "touchpoint_click", "offline_conversion"}
LOGINS = {"pipeline": "build", "anna": "analyst", "emil": "region", "alma": "region", "petra": "pii", "stranger": None}
REGIONS = {"emil": ["EMEA"], "alma": ["APAC", "NA"]}

Ask = Callable[..., list[tuple[object, ...]]]


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


Dbt = Callable[..., DbtRun]


@pytest.fixture(scope="module")
def dbt(run_dbt: RunDbt) -> Dbt:
    """dbt(environment, variables, words ...): one command on the server."""

    def dbt(environment: dict[str, str], *words: str, may_fail: bool = False) -> DbtRun:
        return run_dbt(
            words,
            duckdb_path=Path(environment["LEADLAG_DUCKDB_PATH"]),
            variables=VARIABLES,
            environment=environment,
            may_fail=may_fail,
        )

    return dbt


@pytest.fixture(scope="module")
def administrator(
    postgres_server: dict[str, str], profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Environment of the server's administrator, with the raw tables of a small company loaded."""
    folder = tmp_path_factory.mktemp("access")
    environment = {
        **os.environ,
        **postgres_server,
        "DBT_PROFILES_DIR": str(profiles_dir),
        "LEADLAG_TARGET": "postgres",
        "LEADLAG_SCHEMA": SCHEMA,
        "LEADLAG_DUCKDB_PATH": str(folder / "leadlag.duckdb"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    company = ["--leads", "300", "--seed", "11", "--until", "2025-12-31", "--target", "postgres"]
    assert run(environment, sys.executable, "-m", "leadlag", "simulate", "--quiet", *company).returncode == 0
    return environment


@pytest.fixture(scope="module")
def pipeline(administrator: dict[str, str]) -> dict[str, str]:
    """Environment of the login that builds."""
    return {**administrator, "LEADLAG_PG_USER": "pipeline", "LEADLAG_PG_PASSWORD": PASSWORD}


VARIABLES = {"access_control": True}
BUILD = ["build", "--exclude-resource-type", "test", "unit_test", "snapshot"]


@pytest.fixture(scope="module")
def ask(administrator: dict[str, str], pipeline: dict[str, str], dbt: Dbt) -> Ask:
    """ask(login, statement, ...): rows of the last statement as that login, in one session that is rolled back."""

    def connect(login: str) -> psycopg2.extensions.connection:
        administers = login == administrator["LEADLAG_PG_USER"]
        return psycopg2.connect(
            host=administrator["LEADLAG_PG_HOST"],
            port=administrator["LEADLAG_PG_PORT"],
            dbname=administrator["LEADLAG_PG_DATABASE"],
            user=login,
            password=administrator["LEADLAG_PG_PASSWORD"] if administers else PASSWORD,
        )

    def ask(login: str, *statements: str, keep: bool = False) -> list[tuple[object, ...]]:
        connection = connect(login)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
            if keep:
                connection.commit()
            return [*rows, *((notice,) for notice in connection.notices)]
        finally:
            connection.close()

    refused = dbt(administrator, *BUILD, may_fail=True)
    assert not refused.success and "no role leadlag_build" in str(refused.messages)
    for _ in range(2):
        dbt(administrator, "run-operation", "create_access")
    refused = dbt(administrator, *BUILD, may_fail=True)
    assert not refused.success and "alter role leadlag set role leadlag_build" in str(refused.messages)
    for login, role in LOGINS.items():
        member = f" in role leadlag_{role}" if role else ""
        ask("leadlag", f"create role {login} login password '{PASSWORD}'{member}", keep=True)
    ask("leadlag", "alter role pipeline set role leadlag_build", keep=True)
    dbt(pipeline, *BUILD)
    name_principals(ask)
    return ask


def name_principals(ask: Ask) -> None:
    """Rows that a company would have in its own seed access_principal."""
    for login, regions in REGIONS.items():
        rows = ", ".join(f"('{login}', '{region}')" for region in regions)
        ask("pipeline", f"insert into {SCHEMA}_policy.access_principal values {rows}", keep=True)


def count(ask: Ask, login: str, mart: str, where: str = "true") -> object:
    ((number,),) = ask(login, f"select count(*) from {MARTS}.{mart} where {where}")
    return number


def test_an_analyst_reads_all_marts_and_no_personal_data(ask: Ask) -> None:
    marts = {
        name
        for (name,) in ask(
            "leadlag",
            f"select relname from pg_class where relnamespace = '{MARTS}'::regnamespace and relkind in ('r', 'v')",
        )
    }
    assert len(marts) >= 21
    for mart in marts - PERSONAL:
        # One value of the view over all that is counted.
        condition = (
            "kpi = 'mqls' and period_grain = 'quarter' and cut_name = 'total'" if mart == "kpi_member" else "true"
        )
        assert count(ask, "anna", mart, condition) == count(ask, "leadlag", mart, condition), mart
    for relation in (
        *(f"{MARTS}.{mart}" for mart in sorted(PERSONAL)),
        f"{SCHEMA}_staging.stg_hubspot__contact",
        f"{SCHEMA}_intermediate.int_input__lead_record_checked",
        "hubspot.contact",
        "salesforce.lead",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask("anna", f"select * from {relation}")


OWN = "('EMEA')"
OWN_ROWS = {
    "fct_journey": f"region in {OWN}",
    "fct_conversion": f"region in {OWN}",
    "fct_opportunity": f"region in {OWN}",
    "dim_person": f"region in {OWN}",
    "dim_account": f"region in {OWN}",
    "fct_stage_event": f"journey_key in (select journey_key from {MARTS}.fct_journey where region in {OWN})",
    "fct_touchpoint": f"journey_key in (select journey_key from {MARTS}.fct_journey where region in {OWN})",
    "fct_activity": f"journey_key in (select journey_key from {MARTS}.fct_journey where region in {OWN})",
    "fct_attribution_credit": f"journey_key in (select journey_key from {MARTS}.fct_journey where region in {OWN})",
    "conversion_rate": f"cut_name = 'region' and cut_value in {OWN}",
    "time_to_convert": f"cut_name = 'region' and cut_value in {OWN}",
    "time_to_convert_summary": f"cut_name = 'region' and cut_value in {OWN}",
    "fct_kpi": f"cut_name = 'region' and cut_value in {OWN}",
    "volume_rate_balance": f"cut_name = 'region' and cut_value in {OWN}",
    "kpi_control_chart": f"cut_name = 'region' and cut_value in {OWN}",
}
# A small company may have no such rows.
RARE_ROWS = {"kpi_alert", "org_change_effect", "cycle_normalised_rate"}


def assert_own_rows_only(ask: Ask) -> None:
    for mart, own in OWN_ROWS.items():
        seen, expected, everything = (
            count(ask, "emil", mart),
            count(ask, "leadlag", mart, own),
            count(ask, "leadlag", mart),
        )
        assert 0 < seen == expected < everything, mart  # type: ignore[operator]


def test_a_regional_reader_reads_the_rows_of_their_regions_only(ask: Ask) -> None:
    assert_own_rows_only(ask)
    assert count(ask, "emil", "fct_journey", "region <> 'EMEA' or region is null") == 0
    for mart in ("conversion_cohort", "quarantine", "status_discrepancy", *sorted(PERSONAL)):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            count(ask, "emil", mart)


def test_regions_add_up_to_all_journeys_that_have_one(ask: Ask) -> None:
    assert count(ask, "emil", "fct_journey") + count(ask, "alma", "fct_journey") == count(  # type: ignore[operator]
        ask, "leadlag", "fct_journey", "region in ('EMEA', 'APAC', 'NA')"
    )


def test_personal_data_are_read_by_their_role_alone(ask: Ask) -> None:
    assert count(ask, "petra", "dim_person_contact") == count(ask, "leadlag", "dim_person_contact")
    for mart in ("fct_journey", "dim_person"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            count(ask, "petra", mart)


@pytest.mark.parametrize("login", ["anna", "emil", "petra", "stranger"])
@pytest.mark.parametrize(
    "statement",
    [
        f"insert into {MARTS}.dim_campaign select * from {MARTS}.dim_campaign",
        f"update {MARTS}.fct_journey set outcome = 'won'",
        f"delete from {MARTS}.dim_date",
        f"truncate {MARTS}.fct_conversion",
        f"drop table {MARTS}.fct_conversion",
        f"alter table {MARTS}.fct_journey disable row level security",
        f"drop policy leadlag_region on {MARTS}.fct_journey",
        f"create policy mine on {MARTS}.fct_journey for select using (true)",
        f"create table {MARTS}.mine (a int)",
        "create table public.mine (a int)",
        f"update {SCHEMA}_policy.conversion_definition set window_days = 1",
        f"insert into {SCHEMA}_policy.access_principal values ('emil', 'APAC')",
        f"select * from {SCHEMA}_policy.access_principal",
        f"create or replace function {SCHEMA}_policy.own_regions() returns setof text language sql as 'select null::text'",
        "set role leadlag_build",
        "set session authorization leadlag",
        "create role mine superuser",
    ],
)
def test_readers_cannot_write_nor_change_the_rules(ask: Ask, login: str, statement: str) -> None:
    with pytest.raises(psycopg2.Error) as refused:
        ask(login, statement)
    assert refused.value.pgcode in ("42501", "42P17"), refused.value


def test_what_a_reader_may_read_cannot_be_passed_on(ask: Ask) -> None:
    # PostgreSQL warns and grants nothing.
    ask("petra", f"grant select on {MARTS}.dim_person_contact to public", keep=True)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        count(ask, "anna", "dim_person_contact")


@pytest.mark.parametrize("other", ["leadlag_analyst", "leadlag_pii", "leadlag_build", "alma", "pipeline"])
def test_a_regional_reader_cannot_become_another(ask: Ask, other: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask("emil", f"set role {other}")


def test_views_and_functions_of_a_reader_open_nothing(ask: Ask) -> None:
    own = count(ask, "emil", "fct_journey")
    query = f"select count(*) from {MARTS}.fct_journey"
    assert ask("emil", f"create temp view mine as {query}", "select * from mine") == [(own,)]
    body = f"returns bigint language sql security definer as '{query}'"
    assert ask("emil", f"create function pg_temp.mine() {body}", "select pg_temp.mine()") == [(own,)]
    assert ask("emil", f"select count(*) from {SCHEMA}_policy.own_journeys()") == [(own,)]
    # A cheap function that tells what it sees is asked before the policy only if PostgreSQL lets it: it must not.
    tell = "returns boolean language plpgsql cost 0.0000001 as 'begin raise notice ''%'', t; return true; end'"
    told = ask("emil", f"create function pg_temp.tell(t text) {tell}", f"{query} where pg_temp.tell(region)")
    assert {str(line) for (line,) in told[1:]} == {"NOTICE:  EMEA\n"}
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask("emil", "set row_security = off", query)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask("anna", f"select {SCHEMA}_policy.own_regions()")


def test_protection_outlives_the_next_builds(ask: Ask, pipeline: dict[str, str], dbt: Dbt) -> None:
    # As if an earlier configuration had let more people in.
    ask(
        "pipeline",
        f"grant select, update on {MARTS}.fct_journey to leadlag_pii",
        f"create policy leadlag_pii on {MARTS}.fct_journey using (true)",
        keep=True,
    )
    dbt(pipeline, *BUILD, "--select", "fct_journey")
    assert_own_rows_only(ask)
    ((right,),) = ask("pipeline", f"select has_table_privilege('leadlag_pii', '{MARTS}.fct_journey', 'select, update')")
    ((policies,),) = ask("pipeline", f"select count(*) from pg_policy where polrelid = '{MARTS}.fct_journey'::regclass")
    assert (right, policies) == (False, 2)
    dbt(pipeline, *BUILD, "--select", "access_principal", "fct_touchpoint", "conversion_rate", "--full-refresh")
    assert count(ask, "emil", "fct_journey") == 0  # The seed names nobody.
    name_principals(ask)
    assert_own_rows_only(ask)


@pytest.mark.long
def test_protection_outlives_publishing(ask: Ask, pipeline: dict[str, str]) -> None:
    models = {**pipeline, "DBT_EXCLUDE_RESOURCE_TYPES": "test unit_test snapshot"}
    done = run(models, sys.executable, "-m", "leadlag", "publish", "--vars", json.dumps(VARIABLES))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    name_principals(ask)
    assert_own_rows_only(ask)


def test_duckdb_has_one_file_an_audience(
    administrator: dict[str, str], run_dbt: RunDbt, warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = {**administrator, "LEADLAG_DUCKDB_PATH": str(warehouse), "LEADLAG_SCHEMA": "main"}
    company = ["--leads", "300", "--seed", "11", "--until", "2025-12-31", "--target", "duckdb"]
    assert run(environment, sys.executable, "-m", "leadlag", "simulate", "--quiet", *company).returncode == 0
    build = ["build", "--exclude-resource-type", "test", "unit_test", "snapshot"]
    run_dbt(build, duckdb_path=warehouse)

    def export(role: str, name: str, regions: Sequence[str] = ()) -> str:
        arguments = {"role": role, "regions": list(regions), "path": str(tmp_path / name)}
        command = ["run-operation", "export_audience", "--args", json.dumps(arguments)]
        done = run_dbt(command, duckdb_path=warehouse, may_fail=True)
        printed = capsys.readouterr().out
        return "" if done.success else str(printed)

    def counts(path: Path) -> dict[str, int]:
        with duckdb.connect(str(path), read_only=True) as connection:
            tables = connection.execute("select table_name from duckdb_tables()").fetchall()
            return {name: connection.execute(f"select count(*) from {name}").fetchall()[0][0] for (name,) in tables}

    for role, name, regions in (
        ("leadlag_analyst", "analyst.duckdb", []),
        ("leadlag_region", "emea.duckdb", ["EMEA"]),
        ("leadlag_pii", "pii.duckdb", []),
    ):
        assert export(role, name, regions) == ""
    analyst, emea, pii = (counts(tmp_path / f"{name}.duckdb") for name in ("analyst", "emea", "pii"))
    assert not PERSONAL & (set(analyst) | set(emea))
    assert set(pii) == {"dim_campaign", "dim_date", *PERSONAL}
    assert set(emea) == {*OWN_ROWS, *RARE_ROWS, "dim_date", "dim_campaign", "dim_rep", "dim_kpi"}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("use main_marts")
        for mart, own in OWN_ROWS.items():
            where = own.replace(MARTS, "main_marts")
            assert connection.execute(f"select count(*) from {mart} where {where}").fetchall() == [(emea[mart],)], mart
        for mart, rows in analyst.items():
            assert connection.execute(f"select count(*) from {mart}").fetchall() == [(rows,)], mart
    assert "exists; remove it" in export("leadlag_pii", "pii.duckdb")
    assert "needs regions" in export("leadlag_region", "no.duckdb")
    assert "is none of" in export("leadlag_boss", "no.duckdb")
