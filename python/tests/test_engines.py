"""The same company gives the same marts on every engine, row for row, and every test of the project holds there."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import psycopg2
import pytest
from conftest import RunDbt
from dbt.contracts.graph.nodes import ModelNode
from leadlag.compare import Mart, compare, differences, read_marts
from leadlag.warehouse import opened
from test_tracking import random_link

ROOT = Path(__file__).resolve().parents[2]
KEY = 2**60 - 1


BUILD = ("dbt", "--quiet", "--no-use-colors", "build")
MODELS = ("--exclude-resource-type", "test", "unit_test", "snapshot")
# The lake is slow and makes no difference between marts: those that history decides stand for all.
SOME = ("fct_journey", "fct_touchpoint")
SEEDS = ("leadlag.policy.c*", "leadlag.policy.s*")

# Models that read a table which is there only while they are built.
READ_WORKING_TABLES = {"int_attribution__removal_effect", "int_identity__component"}
# Models with an outer join over a few rows of policy.
OVER_POLICY = {
    "fct_conversion",
    "int_conversion__scoped_entry",
    "int_kpi__opportunity",
    "int_kpi__target",
    "int_policy__violation",
    "kpi_definition_change",
}


def run(environment: Mapping[str, str], *command: str) -> str:
    """What a command printed; fails the test when it fails."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command[:3])}\n{done.stdout[-4000:]}{done.stderr[-2000:]}", pytrace=False)
    return done.stdout


def simulate(environment: Mapping[str, str]) -> None:
    """A small company in the raw tables of the environment's target, some of whose links are as people write them."""
    company = ["--leads", "300", "--seed", "11", "--until", "2025-12-31", "--target", environment["LEADLAG_TARGET"]]
    run(environment, sys.executable, "-m", "leadlag", "simulate", "--quiet", *company)
    chance = random.Random(1)
    with mock.patch.dict(os.environ, environment), opened(environment["LEADLAG_TARGET"]) as warehouse:
        views = sorted(warehouse.query("select distinct page_view_id from web.page_view")["page_view_id"].dropna())
        links = ", ".join(f"('{view}', '{random_link(chance)}')" for view in views[:400])
        warehouse.execute(
            f"update web.page_view set page_url = link.url from (values {links}) as link (id, url) where page_view_id = link.id"
        )
        warehouse.finish()


def marts_of(environment: Mapping[str, str]) -> dict[str, Mart]:
    with mock.patch.dict(os.environ, environment), opened(environment["LEADLAG_TARGET"]) as warehouse:
        return read_marts(warehouse)


def some(marts: dict[str, Mart]) -> dict[str, Mart]:
    return {name: marts[name] for name in SOME}


@pytest.fixture(scope="module")
def settings(
    profiles_dir: Path, postgres_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Environment of all engines; each test names its target and, but for DuckDB, a target folder of its own."""
    folder = tmp_path_factory.mktemp("engines")
    return {
        **os.environ,
        **postgres_server,
        "DBT_PROFILES_DIR": str(profiles_dir),
        "LEADLAG_DUCKDB_PATH": str(folder / "leadlag.duckdb"),
        "LEADLAG_SCHEMA": "engines",
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }


def on_duckdb(settings: Mapping[str, str]) -> dict[str, str]:
    """Environment of DuckDB."""
    return {**settings, "LEADLAG_TARGET": "duckdb", "LEADLAG_SCHEMA": "main"}


@pytest.fixture(scope="module")
def expected(settings: dict[str, str], run_dbt: RunDbt) -> dict[str, Mart]:
    """The marts as DuckDB builds them."""
    simulate(on_duckdb(settings))
    run_dbt(["build", *MODELS], duckdb_path=Path(settings["LEADLAG_DUCKDB_PATH"]))
    marts = marts_of(on_duckdb(settings))
    assert len(marts["fct_conversion"].rows) > 1000
    return marts


@pytest.mark.usefixtures("expected")
def test_no_outer_join_compares_all_pairs(settings: dict[str, str], run_dbt: RunDbt) -> None:
    """DuckDB hashes no outer join with a condition on one side only: that belongs into the key (case when ... then key end)."""
    pairs: set[str] = set()
    unread: set[str] = set()

    def search(node: dict[str, Any], model: str) -> None:
        about = node["extra_info"]
        is_outer = node["name"] == "BLOCKWISE_NL_JOIN" and about["Join Type"] != "INNER"
        if is_outer and re.search(r"\(\w+ = [a-z]\w*\)", about["Condition"]):
            pairs.add(model)
        for child in node["children"]:
            search(child, model)

    path = Path(settings["LEADLAG_DUCKDB_PATH"])
    # What the build has parsed, and compiled.
    manifest = run_dbt(["parse"], duckdb_path=path).manifest
    assert manifest is not None
    models = {
        node.name: node.compiled_code
        for node in manifest.nodes.values()
        if isinstance(node, ModelNode) and node.config.materialized != "ephemeral"
    }
    assert len(models) > 300 and all(models.values())
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        for name, sql in models.items():
            try:
                plan = connection.execute(f"explain (format json) {sql}").fetchall()
            except duckdb.CatalogException:
                unread.add(name)
                continue
            for root in json.loads(plan[0][1]):
                search(root, name)
    assert unread <= READ_WORKING_TABLES
    assert pairs == OVER_POLICY


def test_marts_are_equal_on_postgresql(settings: dict[str, str], expected: dict[str, Mart], run_dbt: RunDbt) -> None:
    # The server sorts text as English and sits in New York (scripts/postgres.sh): neither may show.
    environment = {**settings, "LEADLAG_TARGET": "postgres"}
    simulate(environment)
    run_dbt(["build"], duckdb_path=Path(settings["LEADLAG_DUCKDB_PATH"]), environment=environment)
    assert compare({"duckdb": expected, "postgres": marts_of(environment)}) == []
    words = (sys.executable, "-m", "leadlag", "forecast", "--json", "--dry-run")
    ours, theirs = (json.loads(run(one, *words)) for one in (on_duckdb(settings), environment))
    assert len(ours) == len(theirs) > 1000
    for one, other in zip(ours, theirs, strict=True):
        alike = {
            name: pytest.approx(cell, rel=1e-9) if isinstance(cell, float) else cell for name, cell in other.items()
        }
        assert one == alike


@pytest.fixture
def lake(settings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Environment of an empty DuckLake, its catalog on the server, made by one process: two would both try."""
    catalog = psycopg2.connect(
        host=settings["LEADLAG_PG_HOST"],
        port=settings["LEADLAG_PG_PORT"],
        user=settings["LEADLAG_PG_USER"],
        password=settings["LEADLAG_PG_PASSWORD"],
        dbname="leadlag",
    )
    catalog.autocommit = True
    with catalog.cursor() as cursor:
        cursor.execute("drop database if exists lake")
        cursor.execute("create database lake")
    catalog.close()
    environment = {
        **settings,
        "LEADLAG_TARGET": "ducklake",
        "LEADLAG_LAKE_CATALOG": "lake",
        "LEADLAG_LAKE_FOLDER": str(tmp_path / "lake"),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
    }
    with mock.patch.dict(os.environ, environment), opened("ducklake"):
        pass
    return environment


def policy(environment: Mapping[str, str]) -> dict[str, Mart]:
    """Tables of the policy seeds."""
    schema = f"{environment['LEADLAG_SCHEMA']}_policy"
    with mock.patch.dict(os.environ, environment), opened(environment["LEADLAG_TARGET"]) as warehouse:
        return {name: Mart(*warehouse.rows(schema, name)) for name in warehouse.tables(schema)}


@pytest.mark.usefixtures("expected")
def test_two_processes_write_in_one_ducklake_at_once(
    lake: dict[str, str], settings: dict[str, str], tmp_path: Path
) -> None:
    """Seeds: many small commits, each of which the other process may disturb."""
    both = [{**lake, "LEADLAG_SCHEMA": name, "DBT_TARGET_PATH": str(tmp_path / name)} for name in ("first", "second")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda environment: run(environment, *BUILD[:-1], "seed", "--select", *SEEDS), both))
    first, second = map(policy, both)
    expected = policy(on_duckdb(settings))
    assert len(first) > 10
    assert compare({"duckdb": {name: expected[name] for name in first}, "first": first, "second": second}) == []


def build_some(environment: dict[str, str]) -> None:
    run(environment, *BUILD, *MODELS, "--select", *(f"+{mart}" for mart in SOME))


@pytest.mark.long
def test_two_processes_build_in_one_ducklake_at_once(
    lake: dict[str, str], expected: dict[str, Mart], tmp_path: Path
) -> None:
    simulate(lake)
    both = [{**lake, "LEADLAG_SCHEMA": name, "DBT_TARGET_PATH": str(tmp_path / name)} for name in ("first", "second")]
    with ThreadPoolExecutor() as pool:
        list(pool.map(build_some, both))
    first, second = (some(marts_of(environment)) for environment in both)
    assert compare({"duckdb": some(expected), "first": first, "second": second}) == []


@pytest.mark.long
def test_a_ducklake_is_brought_up_to_date_as_a_file_is(
    lake: dict[str, str], settings: dict[str, str], expected: dict[str, Mart]
) -> None:
    simulate(lake)
    duckdb = on_duckdb(settings)
    build_some(lake)
    for environment in (lake, duckdb):
        with mock.patch.dict(os.environ, environment), opened(environment["LEADLAG_TARGET"]) as warehouse:
            warehouse.execute("delete from salesforce.lead_history where id like '%3_AAY'")
            warehouse.execute("update salesforce.lead set lead_source = 'Referral' where id like '%2_EAA'")
        build_some(environment)
    today = some(marts_of(duckdb))
    assert compare({"duckdb": today, "ducklake": some(marts_of(lake))}) == []
    assert compare({"before": some(expected), "after": today}) != []


def mart(*rows: tuple[object, ...]) -> Mart:
    return Mart(("key", "name", "at", "rate", "amount"), list(rows))


ROW = (KEY, "a", datetime(2024, 1, 1), 0.1, Decimal("2.50"))


def test_comparison_ignores_order_and_the_last_bits_of_floats() -> None:
    other = (KEY - 1, None, None, None, Decimal("2.5"))
    assert list(differences(mart(ROW, other), mart(other, (*ROW[:3], 0.1 * (1 + 1e-12), ROW[4])))) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ((KEY - 1, *ROW[1:]), "key"),
        ((KEY, "A", *ROW[2:]), "name 'a' | 'A'"),
        ((*ROW[:2], datetime(2024, 1, 1, 0, 0, 0, 1), *ROW[3:]), "at "),
        ((*ROW[:3], 0.1 * (1 + 1e-8), ROW[4]), "rate "),
        ((*ROW[:3], None, ROW[4]), "rate 0.1 | None"),
        ((*ROW[:4], Decimal("2.51")), "amount Decimal('2.50') | Decimal('2.51')"),
    ],
)
def test_comparison_names_the_cell_that_differs(changed: tuple[object, ...], named: str) -> None:
    (line,) = differences(mart(ROW), mart(changed))
    assert named in line


def test_comparison_counts_rows_and_sees_columns_and_marts_that_are_missing() -> None:
    (line,) = differences(mart(ROW, ROW), mart(ROW), ("a", "b"))
    assert line.startswith("only in a: key")
    assert "columns" in next(differences(mart(ROW), Mart(("key",), [(KEY,)])))
    assert compare({"a": {"x": mart(ROW)}, "b": {}}) == ["x: only in a"]
    assert (
        compare({"a": {"x": mart(ROW)}, "b": {"x": mart()}, "c": {"x": mart(ROW)}})[0]
        == "x: 1 differences between a and b"
    )
