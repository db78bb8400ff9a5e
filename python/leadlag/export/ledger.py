"""The ledger of exports: what each platform was told, in schema <schema>_export of the warehouse.

An export is written into the ledger before its files are, and marked as written after them. Whatever stops the command in between,
the next one finds the export, writes the same files again, and only then looks for what is new: no conversion is ever in two exports.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

from leadlag.export.plan import Conversion, Entry
from leadlag.warehouse import Warehouse, quote

EXPORT, ROW = "conversion_export_run", "conversion_export_row"
_EXPORT = pa.schema(
    {
        "export_id": pa.string(),
        "platform": pa.string(),
        "export_number": pa.int64(),
        "as_of": pa.timestamp("us"),
        "time_zone": pa.string(),
        "row_count": pa.int64(),
        "is_written": pa.bool_(),
    }.items()
)
_ROW = pa.schema(
    {
        "export_id": pa.string(),
        "row_number": pa.int64(),
        "action": pa.string(),
        "reason": pa.string(),
        "offline_conversion_key": pa.int64(),
        "milestone": pa.string(),
        "conversion_name": pa.string(),
        "click_id": pa.string(),
        "clicked_at": pa.timestamp("us"),
        "reached_at": pa.timestamp("us"),
        # Text, so that every engine gives back the same cents.
        "conversion_value": pa.string(),
        "currency_code": pa.string(),
    }.items()
)


@dataclass(frozen=True)
class Export:
    """An export of a platform.

    Attributes:
        number: counts the exports of the platform from 1.
        as_of: clock of the marts it was made of, UTC.
        is_written: False until its files are complete.
    """

    id: str
    platform: str
    number: int
    as_of: datetime
    time_zone: str
    entries: tuple[Entry, ...]
    is_written: bool = False


def new_export(platform: str, number: int, as_of: datetime, time_zone: str, entries: Sequence[Entry]) -> Export:
    """An export whose id follows from its content."""
    content = [platform, number, str(as_of), time_zone, [_row("", 0, entry) for entry in entries]]
    digest = hashlib.sha256(json.dumps(content, default=str, sort_keys=True).encode()).hexdigest()
    return Export(digest[:12], platform, number, as_of, time_zone, tuple(entries))


def _row(export_id: str, number: int, entry: Entry) -> dict[str, object]:
    one = entry.conversion
    return {
        "export_id": export_id,
        "row_number": number,
        "action": entry.action,
        "reason": entry.reason,
        "offline_conversion_key": one.key,
        "milestone": one.milestone,
        "conversion_name": one.name,
        "click_id": one.click_id,
        "clicked_at": one.clicked_at,
        "reached_at": one.reached_at,
        "conversion_value": None if one.value is None else f"{one.value:.2f}",
        "currency_code": one.currency,
    }


class Ledger:
    """The two tables of the ledger, made when they are missing."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.schema = f"{warehouse.schema}_export"

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and one command at a time: a DuckDB file has one process anyway."""
        is_duckdb = self.warehouse.target.kind == "duckdb"
        if is_duckdb:
            self.warehouse.execute("begin transaction")
        try:
            have = self.warehouse.tables(self.schema)
            for table, columns in ((EXPORT, _EXPORT), (ROW, _ROW)):
                if table not in have:
                    self.warehouse.create(self.schema, table, columns)
            if not is_duckdb:
                self.warehouse.execute(f"lock table {self._name(EXPORT)} in exclusive mode")
            yield
            self.warehouse.execute("commit")
        except BaseException:
            self.warehouse.execute("rollback")
            raise
        self.warehouse.finish()

    def _name(self, table: str) -> str:
        return f"{quote(self.schema)}.{quote(table)}"

    def exports(self, platform: str) -> list[Export]:
        """All exports of a platform, in order."""
        columns, rows = self.warehouse.rows(self.schema, ROW)
        entries: dict[str, list[tuple[int, Entry]]] = {}
        for values in rows:
            row = dict(zip(columns, values, strict=True))
            conversion = Conversion(
                row["offline_conversion_key"],
                row["milestone"],
                row["conversion_name"],
                row["click_id"],
                row["clicked_at"],
                row["reached_at"],
                None if row["conversion_value"] is None else Decimal(row["conversion_value"]),
                row["currency_code"],
            )
            entry = Entry(row["action"], conversion, row["reason"])
            entries.setdefault(row["export_id"], []).append((row["row_number"], entry))
        columns, rows = self.warehouse.rows(self.schema, EXPORT)
        found = []
        for values in rows:
            row = dict(zip(columns, values, strict=True))
            if row["platform"] == platform:
                ordered = sorted(entries.get(row["export_id"], []), key=lambda pair: pair[0])
                export = Export(row["export_id"], platform, row["export_number"], row["as_of"], row["time_zone"], ())
                found.append(
                    replace(export, entries=tuple(entry for _, entry in ordered), is_written=bool(row["is_written"]))
                )
        return sorted(found, key=lambda export: export.number)

    def add(self, export: Export) -> None:
        """Write an export whose files are still to come."""
        head = {
            "export_id": export.id,
            "platform": export.platform,
            "export_number": export.number,
            "as_of": export.as_of,
            "time_zone": export.time_zone,
            "row_count": len(export.entries),
            "is_written": False,
        }
        rows = [_row(export.id, number, entry) for number, entry in enumerate(export.entries, 1)]
        self.warehouse.append(self.schema, ROW, pa.Table.from_pylist(rows, _ROW))
        self.warehouse.append(self.schema, EXPORT, pa.Table.from_pylist([head], _EXPORT))

    def mark_written(self, export: Export) -> None:
        """Say that the files of an export are complete."""
        self.warehouse.execute(f"update {self._name(EXPORT)} set is_written = true where export_id = '{export.id}'")
