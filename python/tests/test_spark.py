"""The project on Spark: built in a session and through a Thrift server, with the rows that DuckDB gives.

Needs the extra (make setup EXTRA=spark) and Java; `make test-spark` sees to the first. Each dbt command is a process of its
own, because a process keeps the Spark session that it started with.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from leadlag.warehouse import connect, find_target

pytest.importorskip("pyspark", reason="Spark is an optional extra: make test-spark")
if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
    pytest.skip("Spark needs Java 17 or newer on PATH or in JAVA_HOME", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
# Few leads: Spark's time goes into planning and starting, not into rows.
COMPANY = ["--leads", "150", "--seed", "3", "--until", "2025-12-31"]
DOUBLE = "DOUBLE"
# Models to build with all above them; all models when none is named. CI names some, for its time.
SELECTED = [f"+{name}" for name in os.environ.get("SPARK_SELECT", "").split()]
# DuckDB asks the gate of the policies: on Spark its 150 rules take as long as 30 models.
SELECTION = ["--select", *SELECTED] if SELECTED else []
SPARK_SELECTION = [*SELECTION, "--exclude", "int_policy__violation"] if SELECTED else []
NOTHING_TO_BUILD = ("exposure.", "saved_query.")


@dataclass
class Lake:
    """A folder with a metastore and warehouse of Spark, a DuckDB file, and the settings that lead there."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    # Of the session's build: what dbt said, and unique id -> status.
    output: str = ""
    built: dict[str, str] = field(default_factory=dict)

    @property
    def duckdb_path(self) -> Path:
        return self.folder / "leadlag.duckdb"

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """Output of a command of .venv; fails the test when the command fails."""
        program, *arguments = command
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=ROOT,
            env={**os.environ, **self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"{' '.join(command)} failed\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}", pytrace=False)
        return done.stdout

    def dbt(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        return self.run("dbt", "--no-use-colors", "--log-level-file", "none", *arguments, environment=environment)

    def results(self) -> dict[str, str]:
        """Unique id -> status of the last dbt command."""
        content = json.loads((self.folder / "target" / "run_results.json").read_text(encoding="utf-8"))
        return {entry["unique_id"]: entry["status"] for entry in content["results"]}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory, profiles_dir: Path) -> Lake:
    """A folder for a small company in DuckDB and in Spark; target Spark, nothing in it yet."""
    folder = tmp_path_factory.mktemp("spark")
    lake = Lake(folder)
    lake.environment = {
        "DBT_PROFILES_DIR": str(profiles_dir),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
        "LEADLAG_TARGET": "spark",
        "LEADLAG_DUCKDB_PATH": str(lake.duckdb_path),
        "LEADLAG_SPARK_DIR": str(folder / "lake"),
        "LEADLAG_SPARK_PORT": str(free_port()),
        # A metastore that need not survive a power cut writes several times as fast; one task a step, the quick compiler, with room
        # for what it makes, and no code generation: few rows, many statements.
        "LEADLAG_SPARK_JAVA_OPTIONS": "-Dderby.system.durability=test -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m "
        "-XX:+UseSerialGC",
        "LEADLAG_SPARK_PARTITIONS": "1",
        "LEADLAG_SPARK_CODEGEN": "false",
    }
    return lake


@pytest.fixture(scope="session")
def spark(lake: Lake) -> Lake:
    """The company, built in DuckDB, and in Spark, written and built by sessions."""
    duckdb_target = {"LEADLAG_TARGET": "duckdb"}

    def build_in_duckdb() -> None:
        lake.run("leadlag", "simulate", *COMPANY, "--quiet", environment=duckdb_target)
        build = ("build", "--exclude-resource-type", "test", "unit_test", "snapshot", *SELECTION)
        lake.dbt(*build, environment=duckdb_target)

    # One core works for each.
    with ThreadPoolExecutor() as pool:
        built = pool.submit(build_in_duckdb)
        lake.run("leadlag", "simulate", *COMPANY, "--quiet")
        built.result()
    lake.output = lake.dbt("build", "--exclude-resource-type", "test", "unit_test", *SPARK_SELECTION)
    lake.built = lake.results()
    return lake


def differences(duckdb_path: Path, warehouse: Path, schema: str = "main", only: Collection[str] = ()) -> list[str]:
    """What the tables of a DuckDB build and those in a Spark warehouse folder do not share.

    only: names of the tables to compare, all when none. Doubles may differ by a relative 1e-9, since sums add up in another
    order; all else is equal, row for row. Digests, and what builds remember, are an engine's own.
    """
    found = []
    with duckdb.connect(duckdb_path, read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_schema like 'main_%' and table_type = 'BASE TABLE' "
            "and table_schema <> 'main_build' and table_name <> 'int_policy__fingerprint' order by all"
        ).fetchall()
        assert tables, "nothing was built"
        for table_schema, table in tables:
            if only and table not in only:
                continue
            folder = warehouse / f"{table_schema.replace('main', schema, 1)}.db" / table
            ours, theirs = f"{table_schema}.{table}", f"read_parquet('{folder}/*.parquet')"
            if not list(folder.glob("*.parquet")):
                # Spark writes no file for a table without rows.
                if connection.execute(f"from {ours} limit 1").fetchone():
                    found.append(f"{table}: not on Spark")
                continue
            types = {name: kind for name, kind, *_ in connection.execute(f"describe {ours}").fetchall()}
            names = [name for name, *_ in connection.execute(f"describe select * from {theirs}").fetchall()]
            if names != list(types):
                found.append(f"{table}: columns {sorted(set(names) ^ set(types))}")
                continue
            types.pop("row_digest", None)
            columns = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in types.items())
            exact = [name for name, kind in types.items() if kind != DOUBLE]
            doubles = [name for name, kind in types.items() if kind == DOUBLE]
            sides = [f"(select {columns} from {source})" for source in (ours, theirs)]
            for one, other, place in ((*sides, "DuckDB"), (*reversed(sides), "Spark")):
                missing = connection.execute(
                    f"select {', '.join(exact)} from {one} except all select {', '.join(exact)} from {other} limit 1"
                ).fetchone()
                if missing:
                    found.append(f"{table}: only on {place}: {dict(zip(exact, missing, strict=True))}")
            order = ", ".join([*exact, *(f"round({name}, 6)" for name in doubles)])
            left, right = (f"(select *, row_number() over (order by {order}) as place from {side})" for side in sides)
            for name in doubles:
                unequal = connection.execute(
                    f"select any_value(l.{name}), any_value(r.{name}) from {left} as l join {right} as r using (place) "
                    f"where l.{name} is distinct from r.{name} and coalesce("
                    f"abs(l.{name} - r.{name}) > 1e-9 * greatest(abs(l.{name}), abs(r.{name})) + 1e-12, true) having count(*) > 0"
                ).fetchone()
                if unequal:
                    found.append(f"{table}.{name}: {unequal[0]} on DuckDB, {unequal[1]} on Spark")
    return found


def test_the_comparison_sees_one_changed_cell(tmp_path: Path) -> None:
    path, folder = tmp_path / "leadlag.duckdb", tmp_path / "main_marts.db" / "t"
    folder.mkdir(parents=True)

    def found(change: str) -> int:
        with duckdb.connect(path) as connection:
            connection.execute("create schema if not exists main_marts")
            rows = "select i as id, i / 7 as share, 'a' || i as name from range(9) as r (i)"
            connection.execute(f"create or replace table main_marts.t as {rows}")
            connection.execute(f"copy (select * replace ({change}) from main_marts.t) to '{folder}/1.parquet'")
        return len(differences(path, tmp_path))

    assert found("share * (1 + 1e-12) as share") == 0
    assert found("case when id = 3 then share + 1e-6 else share end as share") == 1
    assert found("case when id = 3 then null else share end as share") == 1
    assert found("case when id = 3 then 'A3' else name end as name") == 2


def equal_to_duckdb(lake: Lake, built: Mapping[str, str], schema: str = "main") -> None:
    """Nothing fails or is skipped, and every table that was built is equal row for row."""
    nodes = {unique_id: status for unique_id, status in built.items() if not unique_id.startswith(NOTHING_TO_BUILD)}
    assert {"model", "seed"} <= {unique_id.split(".")[0] for unique_id in nodes}
    assert set(nodes.values()) == {"success"}
    names = {unique_id.split(".")[2] for unique_id in nodes}
    assert len(names) > (100 if SELECTED else 300)
    warehouse = lake.folder / "lake" / "warehouse"
    assert differences(lake.duckdb_path, warehouse, schema, only=names if SELECTED else ()) == []


def test_a_session_build_gives_what_duckdb_gives(spark: Lake) -> None:
    equal_to_duckdb(spark, spark.built)


@pytest.mark.long
@pytest.mark.skipif(bool(SELECTED), reason="SPARK_SELECT leaves models out that tests read")
@pytest.mark.parametrize(("kind", "least"), [("test", 90), ("unit_test", 40)])
def test_tests_of_the_project_hold(spark: Lake, kind: str, least: int) -> None:
    """Data tests follow from equal rows on DuckDB, where they hold; here they show that Spark understands them."""
    spark.dbt("test", "--resource-type", kind)
    held = {unique_id: status for unique_id, status in spark.results().items() if unique_id.startswith(f"{kind}.")}
    assert len(held) > least and set(held.values()) == {"pass"}


def test_what_parquet_cannot_do_is_said_once_and_left_out(spark: Lake) -> None:
    assert spark.output.count("snapshots and grants are off") == 1
    assert not [unique_id for unique_id in spark.built if unique_id.startswith("snapshot.")]


@pytest.mark.long
def test_grants_are_left_out(spark: Lake) -> None:
    grant = {"relation": "main_marts.dim_date", "grant_config": {"select": ["analyst"]}, "should_revoke": False}
    spark.dbt("run-operation", "apply_grants", "--args", json.dumps(grant))


@pytest.mark.long
def test_the_file_format_is_one_variable(lake: Lake) -> None:
    """Parquet, the default, is what the session builds."""
    arguments = ["ls", "--quiet", "--target", "spark", "--output", "json", "--output-keys", "name resource_type config"]
    listed = lake.dbt(*arguments, "--vars", json.dumps({"spark_file_format": "delta"}))
    nodes: list[dict[str, Any]] = [json.loads(line) for line in listed.splitlines() if line.startswith("{")]
    stored = [node for node in nodes if node["resource_type"] in ("model", "seed", "snapshot")]
    assert {node["config"]["file_format"] for node in stored} == {"delta"}
    assert any(node["resource_type"] == "snapshot" for node in nodes)


@pytest.fixture(scope="session")
def thrift(spark: Lake) -> Iterator[Lake]:
    """A Thrift server on a standalone master with two workers, over the warehouse of the sessions."""
    script = str(ROOT / "scripts" / "spark.sh")
    environment = {**os.environ, **spark.environment}
    started = subprocess.run([script, "start"], env=environment, capture_output=True, text=True, check=False)
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield spark
    finally:
        subprocess.run([script, "stop"], env=environment, check=True, capture_output=True)
    left = subprocess.run(["pgrep", "-f", str(spark.folder / "lake" / "server")], capture_output=True, check=False)
    assert left.stdout == b"", "processes are left"


@pytest.mark.long
def test_a_thrift_build_gives_what_duckdb_gives(thrift: Lake) -> None:
    """In a schema of its own, so that nothing of the session's build is taken for this one's."""
    settings = {"LEADLAG_SPARK_METHOD": "thrift", "LEADLAG_SCHEMA": "thrift"}
    thrift.dbt("build", "--exclude-resource-type", "test", "unit_test", *SPARK_SELECTION, environment=settings)
    equal_to_duckdb(thrift, thrift.results(), "thrift")


@pytest.mark.long
def test_raw_tables_are_written_through_thrift(thrift: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**thrift.environment, "LEADLAG_SPARK_METHOD": "thrift"}.items():
        monkeypatch.setenv(name, value)
    rows = pa.table({"id": [1, 2], "name": ["a'b", None]})
    with connect(find_target("spark")) as warehouse:
        for _ in range(2):
            warehouse.create("raw_thrift", "t", rows.schema)
            warehouse.append("raw_thrift", "t", rows)
            warehouse.finish()
        assert warehouse.tables("raw_thrift") == {"t"}
        read = warehouse.query("select id, name from raw_thrift.t order by id")
    assert read["id"].tolist() == [1, 2]
    assert read["name"].fillna("(null)").tolist() == ["a'b", "(null)"]
