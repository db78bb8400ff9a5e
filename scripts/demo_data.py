"""Puts simulated raw tables into the warehouse, unless the same ones are there already.

usage: python scripts/demo_data.py --leads N --seed S --until DATE

The warehouse is the file that the profile's duckdb target names (LEADLAG_DUCKDB_PATH, else leadlag.duckdb). It is
replaced only when it is empty or was made here: a file with anybody else's tables is left alone.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
# Only the simulator writes the schema `truth`; this table in it says with which parameters and code.
RECORD = "truth.made_by"


def simulator_fingerprint() -> str:
    """Hash of the code that decides which rows come out."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "python" / "leadlag").rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def recorded_parameters(warehouse: Path) -> str | None:
    """The parameters that the warehouse was simulated with; '' when it is empty, None when it holds other tables."""
    if not warehouse.exists():
        return ""
    try:
        connection = duckdb.connect(str(warehouse), read_only=True)
    except duckdb.IOException as error:
        raise SystemExit(f"demo data: cannot open {warehouse}: {error}") from None
    with connection:
        tables = connection.execute("select schema_name || '.' || table_name from duckdb_tables()").fetchall()
        if (RECORD,) in tables:
            row = connection.execute(f"select parameters from {RECORD}").fetchone()
            return str(row[0]) if row else ""
    return None if tables else ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Simulated raw tables for the warehouse file.")
    parser.add_argument("--leads", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--until", required=True, help="date of the newest simulated event")
    arguments = parser.parse_args()

    warehouse = Path(os.environ.get("LEADLAG_DUCKDB_PATH", "leadlag.duckdb"))
    wanted = json.dumps({**vars(arguments), "simulator": simulator_fingerprint()})
    found = recorded_parameters(warehouse)
    if found is None:
        raise SystemExit(
            f"demo data: {warehouse} holds tables that were not simulated here and would be lost.\n"
            "           Move the file away, or name another one with LEADLAG_DUCKDB_PATH."
        )
    if found == wanted:
        print(f"demo data: {warehouse} is up to date ({arguments.leads} leads, seed {arguments.seed})")
        return

    # A new file, not new rows: what dbt built from the old rows, snapshots above all, must go with them.
    warehouse.unlink(missing_ok=True)
    warehouse.with_name(warehouse.name + ".wal").unlink(missing_ok=True)
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("leadlag")), "simulate"]
    command += ["--leads", str(arguments.leads), "--seed", str(arguments.seed), "--until", arguments.until]
    command += ["--target", "duckdb", "--profiles-dir", str(ROOT)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        # Half a data set must not pass for a whole one.
        warehouse.unlink(missing_ok=True)
        raise SystemExit("demo data: the simulator failed")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"create or replace table {RECORD} as select ?::varchar as parameters", [wanted])


if __name__ == "__main__":
    main()
