"""Where simulated tables go: a warehouse or parquet files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet

from leadlag.simulate.settings import SimulationError
from leadlag.simulate.tables import SCHEMAS
from leadlag.warehouse import Warehouse

# Only the simulator writes this table: where it is, the other schemas are the simulator's as well.
MARKER = ("truth", "parameters")


def _split(name: str) -> tuple[str, str]:
    schema, table = name.split(".")
    return schema, table


def to_warehouse(parts: Iterable[dict[str, Any]], warehouse: Warehouse, prefix: str = "", force: bool = False) -> int:
    """Replace the simulator's tables in a warehouse.

    Args:
        parts: what `generate` yields.
        prefix: put before each schema name.
        force: replace tables of these names even if the simulator did not write them.

    Returns:
        Number of rows written.

    Raises:
        SimulationError: tables of these names exist that are not the simulator's.
    """
    if not force and MARKER[1] not in warehouse.tables(prefix + MARKER[0]):
        for schema in sorted({_split(name)[0] for name in SCHEMAS}):
            found = warehouse.tables(prefix + schema)
            if found & {_split(name)[1] for name in SCHEMAS if _split(name)[0] == schema}:
                raise SimulationError(
                    f"schema {prefix + schema!r} of target {warehouse.target.name!r} holds tables that were not simulated; "
                    "they would be lost. Use --schema-prefix to write beside them, another --target, or --force"
                )
    # The marker first: a run that breaks off may be repeated.
    for name in sorted(SCHEMAS, key=lambda name: _split(name) != MARKER):
        schema, table = _split(name)
        warehouse.create(prefix + schema, table, SCHEMAS[name])
    rows = 0
    for part in parts:
        for name, table_rows in part.items():
            schema, table = _split(name)
            warehouse.append(prefix + schema, table, table_rows)
            rows += table_rows.num_rows
    warehouse.finish()
    return rows


def to_parquet(parts: Iterable[dict[str, Any]], folder: Path, prefix: str = "", force: bool = False) -> int:
    """Write each table as FOLDER/SCHEMA/TABLE.parquet.

    Returns:
        Number of rows written.

    Raises:
        SimulationError: the folder holds something else.
    """
    marker = folder / (prefix + MARKER[0]) / f"{MARKER[1]}.parquet"
    if not force and folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise SimulationError(f"--output: {folder} is not empty and was not written by the simulator; use --force")
    writers: dict[str, Any] = {}
    rows = 0
    try:
        for name in sorted(SCHEMAS, key=lambda name: _split(name) != MARKER):
            schema, table = _split(name)
            path = folder / (prefix + schema) / f"{table}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            writers[name] = pyarrow.parquet.ParquetWriter(path, SCHEMAS[name])
        for part in parts:
            for name, table_rows in part.items():
                if table_rows.num_rows:
                    writers[name].write_table(table_rows)
                    rows += table_rows.num_rows
    finally:
        for writer in writers.values():
            writer.close()
    return rows
