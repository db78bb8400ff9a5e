"""A build that is killed, doubled, read from meanwhile or taken up again leaves whole and right tables.

Builds are processes of their own here and are killed with SIGKILL: nothing of dbt can tidy up after them. A killed build
leaves no results that `dbt retry` could take up; one in which a model fails does.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg2
import psycopg2.extensions
import pytest
from conftest import GROUND_ONLY, RunDbt
from daily_loads import OPERATIONS, RawTables, apply
from leadlag.compare import Mart, compare, read_marts
from leadlag.warehouse import opened
from rule_changes import Rules

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("--exclude-resource-type", "test", "unit_test", "snapshot", *GROUND_ONLY)
VIEWS: dict[str, set[str]] = {
    "duckdb": set(),
    "postgres": {"data_quality_trend"},
}


def start(environment: Mapping[str, str], selection: Sequence[str] = MODELS) -> subprocess.Popen[str]:
    command = ["dbt", "--no-use-colors", "build", *selection]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=300)
    if process.returncode != 0:
        pytest.fail(f"dbt build\n{printed[-4000:]}", pytrace=False)
    return printed


def reached(process: subprocess.Popen[str], nodes: int) -> None:
    """Returns when the build has finished so many nodes."""
    assert process.stdout is not None
    for line in process.stdout:
        if f" {nodes} of " in line and " OK " in line:
            return
    pytest.fail(f"the build ended before its node {nodes}", pytrace=False)


@contextmanager
def held(process: subprocess.Popen[str], environment: Mapping[str, str]) -> Iterator[None]:
    """Keeps a build, which has come no further than its seeds, from ending meanwhile."""
    if environment["LEADLAG_TARGET"] == "duckdb":
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGCONT)
        return
    # A stopped process might have no connection to the server, by which others know that it lives.
    with server_of(environment) as server, server.cursor() as cursor:
        cursor.execute("lock table salesforce.lead in access exclusive mode")
        yield
        server.rollback()


@contextmanager
def server_of(environment: Mapping[str, str]) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(
        host=environment["LEADLAG_PG_HOST"],
        port=environment["LEADLAG_PG_PORT"],
        dbname=environment["LEADLAG_PG_DATABASE"],
        user=environment["LEADLAG_PG_USER"],
        password=environment["LEADLAG_PG_PASSWORD"],
    )
    try:
        yield connection
    finally:
        connection.close()


def marts_of(engine: str, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Mart]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with opened(engine) as warehouse:
        return read_marts(warehouse)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: dbt parses anew for another file or target folder, which takes as long as a build."""
    return tmp_path_factory.mktemp("interrupted")


@pytest.fixture(scope="module")
def company(
    request: pytest.FixtureRequest, profiles_dir: Path, postgres_server: dict[str, str], folder: Path
) -> dict[str, str]:
    """A simulated company on the engine of the test."""
    engine = request.param
    environment = {
        **os.environ,
        **postgres_server,
        "DBT_PROFILES_DIR": str(profiles_dir),
        "LEADLAG_TARGET": engine,
        "LEADLAG_SCHEMA": "interrupted",
        "LEADLAG_DUCKDB_PATH": str(folder / "leadlag.duckdb"),
        "DBT_TARGET_PATH": str(folder / engine),
        "DBT_LOG_LEVEL_FILE": "none",
    }
    words = ["--quiet", "--leads", "150", "--seed", "12", "--until", "2025-12-31", "--target", engine]
    subprocess.run([sys.executable, "-m", "leadlag", "simulate", *words], cwd=ROOT, env=environment, check=True)
    return environment


@pytest.fixture(scope="module")
def built(company: dict[str, str]) -> dict[str, str]:
    """The company, built once for all tests. The retry alone changes its raw tables, and compares with a full build of its own."""
    finish(start(company))
    return company


@pytest.mark.parametrize("company", [pytest.param("duckdb", marks=pytest.mark.long), "postgres"], indirect=True)
def test_a_build_after_killed_ones_gives_the_marts_of_an_undisturbed_one(
    built: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = built["LEADLAG_TARGET"]
    undisturbed = marts_of(engine, built, monkeypatch)
    points = random.Random(engine).sample(range(20, 160), 2)
    for nodes in points:
        process = start(built)
        reached(process, nodes)
        time.sleep(random.Random(nodes).random() / 5)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        # What readers find meanwhile: every mart, whole. dbt may have left the table before the last one as a backup, which
        # the next build removes. PostgreSQL drops a view with the tables it reads (docs/engines.md).
        found = marts_of(engine, built, monkeypatch)
        whole = {name: mart for name, mart in found.items() if not name.endswith("__dbt_backup")}
        expected = {name: mart for name, mart in undisturbed.items() if name in whole or name not in VIEWS[engine]}
        assert compare({"undisturbed": expected, f"killed after {nodes}": whole}) == []
    finish(start(built))
    assert compare({"undisturbed": undisturbed, "again": marts_of(engine, built, monkeypatch)}) == []


@pytest.mark.long
@pytest.mark.parametrize("company", ["duckdb"], indirect=True)
def test_a_retry_after_a_failed_build_gives_the_marts_of_a_full_build(
    built: dict[str, str], run_dbt: RunDbt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failing build had changed rows to take up: `dbt retry` builds only what that build left out."""
    rules = Rules.copy(tmp_path / "project")
    (rules.folder / "models").unlink()
    shutil.copytree(ROOT / "models", rules.folder / "models")
    run: dict[str, Any] = {
        "duckdb_path": Path(built["LEADLAG_DUCKDB_PATH"]),
        "project_dir": rules.folder,
        "variables": rules.variables,
        "environment": {"LEADLAG_SCHEMA": built["LEADLAG_SCHEMA"]},
    }
    build = ["build", "--write-json", *MODELS]
    run_dbt(build, **run)
    with mock.patch.dict(os.environ, built), opened("duckdb") as warehouse:
        rng = random.Random(1)
        raw = RawTables(warehouse, rng, datetime.fromisoformat("2026-01-01"))
        raw.create_holding()
        done = apply(raw, rng.sample(sorted(OPERATIONS), 50))
        warehouse.finish()
    assert len(done) > 25
    broken = next((rules.folder / "models").rglob("int_lifecycle__journey.sql"))
    sound = broken.read_text(encoding="utf-8")
    broken.write_text(f"{sound}\nthe engine refuses this", encoding="utf-8")
    failed = run_dbt(build, **run, may_fail=True).status
    assert failed["int_lifecycle__journey"] == "error" and failed["fct_journey"] == "skipped"
    broken.write_text(sound, encoding="utf-8")
    # A retry is an invocation of its own: hooks run again, and invocation_id is another one.
    retried = {name for name in run_dbt(["retry"], **run).status if not name.startswith("leadlag-on-run")}
    assert retried == {name for name, status in failed.items() if status in ("error", "skipped")}
    marts = marts_of("duckdb", built, monkeypatch)
    run_dbt([*build, "--full-refresh"], **run)
    assert compare({"full": marts_of("duckdb", built, monkeypatch), "retried": marts}) == [], sorted(done)


@pytest.mark.parametrize("company", ["duckdb", "postgres"], indirect=True)
def test_a_second_build_at_the_same_time_stops_and_says_why(company: dict[str, str]) -> None:
    first = start(company)
    reached(first, 20)
    with held(first, company):
        second = start(company)
        printed, _ = second.communicate(timeout=120)
    assert second.returncode != 0, printed
    expected = {"duckdb": "Could not set lock on file", "postgres": "another build of schema interrupted is running"}
    assert expected[company["LEADLAG_TARGET"]] in printed, printed
    # It goes on undisturbed.
    reached(first, 100)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()


@pytest.mark.parametrize("company", ["postgres"], indirect=True)
def test_readers_of_postgresql_see_whole_tables_throughout_a_build(built: dict[str, str]) -> None:
    marts = ("dim_person", "fct_touchpoint", "fct_journey", "fct_conversion", "conversion_rate")
    question = "union all ".join(f"select '{mart}', count(*) from interrupted_marts.{mart} " for mart in marts)
    seen = set()
    reads = 0
    process = start(built)
    with server_of(built) as server, server.cursor() as cursor:
        server.autocommit = True
        while process.poll() is None:
            cursor.execute(question)
            seen.update(cursor.fetchall())
            reads += 1
            time.sleep(0.005)
    finish(process)
    assert reads > 100
    assert {mart for mart, _ in seen} == set(marts)
    assert len(seen) == len(marts), f"a table was seen half: {sorted(seen)}"
