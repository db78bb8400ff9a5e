"""Build the same simulated company on several engines and compare every mart row for row.

usage: python scripts/compare_engines.py [--leads N] [--seed S] [--engines duckdb,postgres,spark] [--folder DIR]

PostgreSQL is the server that LEADLAG_PG_HOST names, or else one of our own, started for this and stopped again
(scripts/postgres.sh). Exit code 1 when a mart differs.
"""

import argparse
import os
import shlex
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ["dbt", "--quiet", "build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"]


def own_postgres(state: Path, stack: ExitStack) -> dict[str, str]:
    """Start a server that stops with the stack; its settings as environment variables."""
    script = str(ROOT / "scripts" / "postgres.sh")
    printed = subprocess.run([script, "start", str(state)], check=True, stdout=subprocess.PIPE, text=True).stdout
    stack.callback(subprocess.run, [script, "stop", str(state)], check=False)
    return dict(word.split("=", 1) for word in shlex.split(printed) if "=" in word)


def build(engine: str, company: list[str], environment: dict[str, str]) -> float:
    """Simulate the company and build everything on an engine; seconds taken by the build."""
    simulate = [sys.executable, "-m", "leadlag", "simulate", "--quiet", *company, "--target", engine]
    subprocess.run(simulate, cwd=ROOT, env=environment, check=True)
    start = time.monotonic()
    subprocess.run(BUILD, cwd=ROOT, env={**environment, "LEADLAG_TARGET": engine}, check=True)
    return time.monotonic() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", default="400")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--engines", default="duckdb,postgres")
    parser.add_argument("--folder", type=Path, default=ROOT / ".cache" / "engines", help="warehouse, targets and logs")
    arguments = parser.parse_args()
    engines = arguments.engines.split(",")
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "DBT_PROFILES_DIR": os.environ.get("DBT_PROFILES_DIR", str(ROOT)),
        "LEADLAG_DUCKDB_PATH": str(folder / "leadlag.duckdb"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    company = ["--leads", arguments.leads, "--seed", arguments.seed, "--until", "2025-12-31"]
    with ExitStack() as stack:
        if "postgres" in engines and "LEADLAG_PG_HOST" not in environment:
            environment |= own_postgres(folder / "postgres", stack)
        for engine in engines:
            seconds = build(engine, company, {**environment, "DBT_TARGET_PATH": str(folder / f"target_{engine}")})
            print(f"{engine}: built in {seconds:.0f} s", flush=True)
        compare = [sys.executable, "-m", "leadlag", "compare", *engines]
        return subprocess.run(compare, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
