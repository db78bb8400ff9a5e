"""Costs of a full build and of the next day's, in CPU seconds, against the floor: reading and writing the same raw rows once.

usage: python scripts/bench.py LEADS [LEADS ...]

Every step is a process of its own, measured by what the operating system charges it. dbt's own share is the cost of
the same build on the same tables without rows, that of an increment the cost of building those again; the project has
been parsed before every build. The next day: what the loader delivered on the last day is kept back, and delivered after
a build. Files go to .cache/bench, the figures to .cache/bench/result.json.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / ".cache" / "bench"
UNTIL = "2025-12-31"
BUILD = ["dbt", "--quiet", "build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]

# The paths of attribution, which KPIs read too.
PATHS = "+int_attribution__path,models/intermediate/attribution"
# What is built together, in order; each is a process of its own, so that the system charges it apart.
LAYERS = {
    "input": ["resource_type:seed", "models/staging", "models/intermediate/policy", "models/intermediate/input"],
    "identity": ["models/intermediate/identity"],
    "lifecycle": ["models/intermediate/lifecycle"],
    "core marts": ["models/intermediate/engagement", "models/marts/core"],
    "conversion": ["models/intermediate/conversion", "models/marts/conversion"],
    "paths": [PATHS],
    "kpi": ["models/intermediate/kpi", "models/marts/kpi"],
    "attribution": ["models/intermediate/attribution", "models/marts/attribution", "--exclude", PATHS],
    "closed loop": ["models/intermediate/closed_loop", "models/marts/closed_loop"],
    "integrity": ["models/intermediate/integrity", "models/marts/integrity"],
}

# Runs with the raw warehouse as first argument.
EVERY_RAW_TABLE = """
import duckdb, sys
connection = duckdb.connect()
connection.execute("set preserve_insertion_order = false")
connection.execute(f"attach '{sys.argv[1]}' as raw (read_only)")
tables = connection.execute(
    "select schema_name, table_name from duckdb_tables() where database_name = 'raw' and schema_name <> 'truth'"
).fetchall()
"""
WITHOUT_ROWS = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall():
    connection.execute(f"delete from {schema}.{table}")
"""
READ = (
    EVERY_RAW_TABLE
    + """
for schema, table in tables:
    connection.execute(f"select bit_xor(hash(t)) from raw.{schema}.{table} as t").fetchall()
"""
)
WRITE = (
    EVERY_RAW_TABLE
    + """
connection.execute(f"attach '{sys.argv[2]}' as copy")
for schema, table in tables:
    connection.execute(f"create schema if not exists copy.{schema}")
    connection.execute(f"create table copy.{schema}.{table} as from raw.{schema}.{table}")
connection.execute("checkpoint copy")
"""
)


@dataclass
class Cost:
    wall: float
    cpu: float
    peak_mb: float


@dataclass
class Run:
    """The costs of one size; `floor` and `models` in CPU seconds, `share` of the full build without dbt's own part."""

    leads: int
    read: Cost
    write: Cost
    empty: Cost
    empty_again: Cost
    full: Cost
    increment: Cost
    delivered_rows: int
    touched_persons: int
    persons: int

    @property
    def floor(self) -> float:
        return self.read.cpu + self.write.cpu

    @property
    def models(self) -> float:
        return self.full.cpu - self.empty.cpu

    @property
    def share(self) -> float:
        return (self.increment.cpu - self.empty_again.cpu) / self.models


def environment_of(warehouse: Path) -> dict[str, str]:
    return {
        **os.environ,
        "LEADLAG_TARGET": "duckdb",
        "LEADLAG_DUCKDB_PATH": str(warehouse),
        "DBT_TARGET_PATH": str(warehouse.parent / "target"),
        "DBT_LOG_PATH": str(warehouse.parent / "logs"),
    }


def next_day(environment: dict[str, str], *arguments: str) -> Any:
    """Runs next_day.py; what it prints, read as JSON."""
    command = [sys.executable, "scripts/next_day.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout or "null")


def measure(command: list[str], warehouse: Path) -> Cost:
    """Runs a command to its end and returns what it cost; ends the benchmark when it fails."""
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=environment_of(warehouse))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command[:3])} failed")
    return Cost(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def copy_of(raw: Path, name: str) -> Path:
    """A fresh copy of the raw warehouse in a folder of its own, so that every build starts from raw rows only; parsed, so
    that a first build does not pay for what a second one finds."""
    warehouse = raw.parent / name / raw.name
    # What an interrupted benchmark left, a write-ahead log above all, is not of this copy.
    shutil.rmtree(warehouse.parent, ignore_errors=True)
    warehouse.parent.mkdir()
    shutil.copyfile(raw, warehouse)
    measure(["dbt", "--quiet", "parse"], warehouse)
    return warehouse


def slowest_models(target: Path, count: int = 8) -> list[tuple[str, float]]:
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    timed = [(".".join(result["unique_id"].split(".")[2:]), result["execution_time"]) for result in results]
    return sorted(timed, key=lambda item: -item[1])[:count]


def listed(models: list[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in models)


def bench(leads: int) -> Run:
    raw = BENCH / str(leads) / "leadlag.duckdb"
    raw.parent.mkdir(parents=True, exist_ok=True)
    parameters = ["--leads", str(leads), "--seed", "1", "--until", UNTIL]
    measure([sys.executable, "scripts/demo_data.py", *parameters], raw)

    scratch = raw.parent / "floor.duckdb"
    scratch.unlink(missing_ok=True)
    read = measure([sys.executable, "-c", READ, str(raw)], raw)
    write = measure([sys.executable, "-c", WRITE, str(raw), str(scratch)], raw)
    scratch.unlink()

    empty_copy = copy_of(raw, "empty")
    measure([sys.executable, "-c", WITHOUT_ROWS, str(empty_copy)], raw)
    empty = measure(BUILD, empty_copy)
    empty_again = measure(BUILD, empty_copy)
    empty_copy.unlink()
    full_copy = copy_of(raw, "full")
    full = measure(BUILD, full_copy)
    slowest = slowest_models(full_copy.parent / "target")
    full_copy.unlink()
    layers_copy = copy_of(raw, "layers")
    layers = {name: measure([*BUILD, "--select", *paths], layers_copy) for name, paths in LAYERS.items()}
    layers_copy.unlink()

    grown_copy = copy_of(raw, "increment")
    environment = environment_of(grown_copy)
    next_day(environment, "hold", UNTIL)
    measure(BUILD, grown_copy)
    delivered = next_day(environment, "deliver")
    increment = measure(BUILD, grown_copy)
    slowest_of_increment = slowest_models(grown_copy.parent / "target")
    touched, persons = next_day(environment, "persons")
    grown_copy.unlink()

    run = Run(leads, read, write, empty, empty_again, full, increment, delivered, touched, persons)
    print(f"\n{leads} leads, raw file {raw.stat().st_size / 2**20:.0f} MB")
    for name, cost in (
        ("read once", read),
        ("write once", write),
        ("build, no rows", empty),
        ("again, no rows", empty_again),
        ("build", full),
        *layers.items(),
        ("next day", increment),
    ):
        print(f"  {name:<16}{cost.wall:8.1f} s wall{cost.cpu:8.1f} s CPU{cost.peak_mb:8.0f} MB peak")
    print(f"  build without dbt's share = {run.models / run.floor:.1f} x floor; with it {full.cpu / run.floor:.1f} x")
    print(f"  slowest models, seconds: {listed(slowest)}")
    print(f"  increment = {run.share:.1%} of the full build (with dbt's own share {increment.cpu / full.cpu:.1%})")
    print(f"  {delivered} rows delivered, {touched} of {persons} persons recomputed ({touched / persons:.2%})")
    print(f"  slowest models of the increment, seconds: {listed(slowest_of_increment)}")
    return run


def main() -> None:
    sizes = sorted({int(text) for text in sys.argv[1:]})
    if not sizes:
        raise SystemExit(__doc__)
    runs = [bench(leads) for leads in sizes]
    for smaller, larger in pairwise(runs):
        factor = larger.models / smaller.models
        exponent = math.log(factor) / math.log(larger.leads / smaller.leads)
        print(f"\ngrowth {smaller.leads} -> {larger.leads} leads: CPU of the models x {factor:.1f}, n^{exponent:.2f}")
    (BENCH / "result.json").write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
