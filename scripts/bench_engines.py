"""Costs of a full build and of the next day's on every engine: one simulated company, a Markdown table.

usage: python scripts/bench_engines.py LEADS

CPU is that of everything that works for the build: dbt's processes, the JVM of Spark among them, and the PostgreSQL server,
which is started for this (scripts/postgres.sh). Peak is the largest sum of their memory, looked up five times a second, each
page counted once (PSS; RSS where the system does not tell). The full build lacks the rows of the last day, which are then
delivered; on Spark, where every build is a full one, it has them. Linux only. Files go to .cache/bench/engines.
"""

import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench import BENCH, BUILD, ROOT, UNTIL, Cost, next_day
from compare_engines import own_postgres

FOLDER = BENCH / "engines"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A line of /proc: `cpu` in seconds, with that of children that have ended; `start` tells numbers used twice apart."""

    pid: int
    parent: int
    cpu: float
    start: int


def processes() -> dict[int, Process]:
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name before the last parenthesis may hold anything.
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        found[pid] = Process(pid, int(fields[1]), sum(map(int, fields[11:15])) / TICKS, int(fields[19]))
    return found


def tree(root: int, running: dict[int, Process]) -> Iterator[Process]:
    """A process and all that descend from it."""
    if root in running:
        yield running[root]
    for process in running.values():
        if process.parent == root:
            yield from tree(process.pid, running)


def memory_mb(process: Process) -> float:
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            for line in Path(f"/proc/{process.pid}/{name}").read_text(encoding="utf-8").splitlines():
                if line.startswith(key):
                    return int(line.split()[1]) / 1024
        except OSError:
            continue
    return 0.0


def cpu_of(root: int | None) -> float:
    return sum(process.cpu for process in tree(root, processes())) if root else 0.0


def measure(environment: dict[str, str], server: int | None) -> Cost:
    """Runs a build to its end; what it and the server, given by its first process, cost."""
    server_before = cpu_of(server)
    start = time.monotonic()
    dbt = subprocess.Popen(BUILD, cwd=ROOT, env=environment)
    handle = os.pidfd_open(dbt.pid)
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    peak = 0.0
    seen: dict[int, Process] = {}
    while not ended.poll(200):
        running = processes()
        seen |= {process.pid: process for process in tree(dbt.pid, running)}
        working = [*tree(dbt.pid, running), *(tree(server, running) if server else ())]
        peak = max(peak, sum(map(memory_mb, working)))
    wall = time.monotonic() - start
    os.close(handle)
    _, status, usage = os.wait4(dbt.pid, 0)
    dbt.returncode = os.waitstatus_to_exitcode(status)
    if dbt.returncode != 0:
        raise SystemExit(f"bench: build failed on {environment['LEADLAG_TARGET']}")
    cpu = usage.ru_utime + usage.ru_stime + cpu_of(server) - server_before
    return Cost(wall, cpu + cpu_of_survivors(seen), peak)


def cpu_of_survivors(seen: dict[int, Process]) -> float:
    """CPU of processes that outlive the one that started them, as the JVM does for a moment; dbt is not charged for them."""
    last: dict[int, Process] = {}
    for _ in range(100):
        running = processes()
        left = {
            pid: running[pid] for pid, process in seen.items() if pid in running and running[pid].start == process.start
        }
        if not left:
            break
        last |= left
        time.sleep(0.1)
    return sum(process.cpu for process in last.values())


def bench(engine: str, leads: str, settings: dict[str, str], server: int | None = None) -> None:
    folder = FOLDER / engine
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {
        "DBT_PROFILES_DIR": str(ROOT),
        **os.environ,
        **settings,
        "LEADLAG_TARGET": engine,
        "LEADLAG_DUCKDB_PATH": str(folder / "leadlag.duckdb"),
        "LEADLAG_SPARK_DIR": str(folder),
        "LEADLAG_SPARK_METHOD": "session",
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    company = ["--leads", leads, "--seed", "1", "--until", UNTIL]
    simulate = [sys.executable, "-m", "leadlag", "simulate", "--quiet", *company, "--target", engine]
    subprocess.run(simulate, cwd=ROOT, env=environment, check=True)
    subprocess.run(["dbt", "--quiet", "parse"], cwd=ROOT, env=environment, check=True)
    if engine == "spark":
        show(engine, "full", measure(environment, server))
        return
    next_day(environment, "hold", UNTIL)
    show(engine, "full", measure(environment, server))
    rows = next_day(environment, "deliver")
    increment = measure(environment, server)
    touched, persons = next_day(environment, "persons")
    show(engine, f"next day: {rows} rows, {touched / persons:.2%} of persons", increment)


def show(engine: str, build: str, cost: Cost) -> None:
    print(f"| {engine} | {build} | {cost.wall:.1f} | {cost.cpu:.1f} | {cost.peak_mb:.0f} |", flush=True)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    leads = sys.argv[1]
    print(f"{leads} leads\n\n| engine | build | wall s | CPU s | peak MB |\n|---|---|---|---|---|", flush=True)
    bench("duckdb", leads, {})
    with ExitStack() as stack:
        state = FOLDER / "server"
        settings = own_postgres(state, stack)
        data = Path((state / "folder").read_text(encoding="utf-8").strip()) / "data"
        postmaster = int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        bench("postgres", leads, settings, postmaster)
    if find_spec("pyspark"):
        bench("spark", leads, {})
    else:
        print("\nspark is not installed: make bench-engines EXTRA=spark")


if __name__ == "__main__":
    main()
