"""Tell an advertising platform which of its clicks became what: write new and changed offline conversions in its upload format.

The rows are those of mart offline_conversion (rules: seed conversion_export) that are exportable and were not exported before. A
conversion that has another value since is restated; one that is no longer reached, or whose person took the consent back, is retracted;
platforms that know neither get a list to be dealt with by hand. What was told is in the ledger, schema SCHEMA_export; a command that was
stopped is completed by the next one, so nothing is told twice. Files hold click ids, which are personal data: they are readable
by you alone, and should be deleted once they are uploaded.

Exit codes: 0 files written, or nothing to tell; 1 refused or failed, the message says why; 2 the call was wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from leadlag.audit.command import profile_name
from leadlag.cli import OK, USAGE, CommandError
from leadlag.export.formats import PLATFORMS, render
from leadlag.export.ledger import Export, Ledger, new_export
from leadlag.export.plan import RESTATE, RETRACT, SEND, Candidate, Conversion, Plan, plan, present_state
from leadlag.project import add_project_arguments
from leadlag.warehouse import Warehouse, WarehouseError, connect, find_target

MART, SUMMARY = "offline_conversion", "offline_conversion_summary"
# More withdrawals than both are not believed without being asked for.
MANY, SHARE = 10, 0.2
NOTES_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag export-conversions`."""
    parser.add_argument("--platform", required=True, choices=list(PLATFORMS), help="whom to tell")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FOLDER", help="where files go; made when missing"
    )
    parser.add_argument("--again", metavar="EXPORT_ID", help="write the files of an earlier export again, nothing else")
    parser.add_argument(
        "--allow-withdrawals",
        action="store_true",
        help=f"also retract more than {MANY} conversions that are more than {SHARE:.0%} of all told",
    )
    add_project_arguments(parser)


def _read(warehouse: Warehouse, table: str, platform: str) -> list[dict[str, Any]]:
    schema = f"{warehouse.schema}_marts"
    if table not in warehouse.tables(schema):
        raise CommandError(f"there is no {schema}.{table}; run `dbt build` first")
    columns, rows = warehouse.rows(schema, table)
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    return [row for row in found if row["platform"] == platform]


def _candidate(row: dict[str, Any]) -> Candidate:
    conversion = Conversion(
        row["offline_conversion_key"],
        row["milestone"],
        row["conversion_name"],
        row["click_id"],
        row["clicked_at"],
        row["reached_at"],
        row["conversion_value"],
        row["currency_code"],
    )
    return Candidate(conversion, row["exclusion"])


def write_files(folder: Path, export: Export) -> list[Path]:
    """Write the files of an export; each is complete or not there. The same export gives the same names and bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for ending, text in render(export.platform, export.entries, export.as_of, export.time_zone).items():
        path = folder / f"{export.platform}_{export.number:05d}_{export.id}_{ending}"
        # Readable by its owner alone, as mkstemp makes it.
        handle, name = tempfile.mkstemp(prefix=".leadlag-", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        paths.append(path)
    return paths


def _check(found: Plan, earlier: list[Export], as_of: datetime, allow_withdrawals: bool) -> None:
    """Refuse what looks like a mistake in the marts rather than like news."""
    if earlier and as_of < earlier[-1].as_of:
        raise CommandError(
            f"the marts stand at {as_of}, before the last export ({earlier[-1].as_of}): later conversions would look withdrawn. "
            "Build without an earlier as_of first"
        )
    told = present_state([entry for export in earlier for entry in export.entries]).values()
    known = sum(entry.action != RETRACT for entry in told)
    withdrawn = found.count(RETRACT)
    if withdrawn > max(MANY, SHARE * known) and not allow_withdrawals:
        raise CommandError(
            f"{withdrawn} of {known} conversions that were told would be retracted, which platforms cannot undo. See to the marts "
            "and consents; if it is right, add --allow-withdrawals"
        )


def next_export(
    warehouse: Warehouse, ledger: Ledger, platform: str, allow_withdrawals: bool
) -> tuple[Export | None, Plan]:
    """Put what is new into the ledger; no export when nothing is. To be called within a transaction of the ledger.

    Raises:
        CommandError: there are no marts, no rules for the platform, or the news are not believable.
    """
    rules = _read(warehouse, SUMMARY, platform)
    if not rules:
        raise CommandError(f"seed conversion_export has no row for {platform}")
    candidates = [_candidate(row) for row in _read(warehouse, MART, platform)]
    earlier = ledger.exports(platform)
    told = [entry for export in earlier for entry in export.entries]
    found = plan(candidates, told, {row["milestone"]: None for row in rules})
    as_of = rules[0]["as_of"]
    _check(found, earlier, as_of, allow_withdrawals)
    if not found.entries:
        return None, found
    export = new_export(platform, len(earlier) + 1, as_of, rules[0]["time_zone"], found.entries)
    ledger.add(export)
    return export, found


def _say(export: Export, paths: list[Path], how: str) -> None:
    counts = [
        f"{sum(entry.action == action for entry in export.entries)} {word}"
        for action, word in ((SEND, "conversions"), (RESTATE, "restated"), (RETRACT, "withdrawn"))
    ]
    print(f"{export.platform} export {export.number} ({export.id}) {how}: {', '.join(counts)}")
    for path in paths:
        print(f"  {path}")


def export_conversions(warehouse: Warehouse, platform: str, folder: Path, allow_withdrawals: bool = False) -> None:
    """Complete an export that was interrupted, then make the next one.

    Raises:
        CommandError: nothing was told; the message says why.
    """
    ledger = Ledger(warehouse)
    with ledger.transaction():
        unfinished = [export for export in ledger.exports(platform) if not export.is_written]
    for export in unfinished:
        finish(ledger, export, folder, "completed")
    with ledger.transaction():
        new, found = next_export(warehouse, ledger, platform, allow_withdrawals)
    if new is None:
        print(f"{platform}: nothing new to tell")
    else:
        finish(ledger, new, folder, "written")
    for note in found.notes[:NOTES_SHOWN]:
        print(f"  note: conversion {note}")
    if len(found.notes) > NOTES_SHOWN:
        print(f"  and {len(found.notes) - NOTES_SHOWN} more notes")


def finish(ledger: Ledger, export: Export, folder: Path, how: str) -> None:
    """Write the files of an export that is in the ledger, and say so there."""
    paths = write_files(folder, export)
    with ledger.transaction():
        ledger.mark_written(export)
    _say(export, paths, how)


def _again(warehouse: Warehouse, platform: str, export_id: str, folder: Path) -> None:
    ledger = Ledger(warehouse)
    with ledger.transaction():
        exports = {export.id: export for export in ledger.exports(platform)}
    if export_id not in exports:
        known = ", ".join(exports) or "none yet"
        raise CommandError(f"{platform} has no export {export_id!r}; there are: {known}")
    finish(ledger, exports[export_id], folder, "written again")


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag export-conversions`; returns the exit code."""
    try:
        target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
        if target.kind not in ("duckdb", "postgres"):
            raise WarehouseError(
                f"target {target.name!r} has type {target.kind!r}; the ledger needs duckdb or postgres"
            )
        with connect(target) as warehouse:
            if arguments.again:
                _again(warehouse, arguments.platform, arguments.again, arguments.output)
            else:
                export_conversions(warehouse, arguments.platform, arguments.output, arguments.allow_withdrawals)
    except WarehouseError as error:
        print(f"leadlag export-conversions: {error}", file=sys.stderr)
        return USAGE
    except OSError as error:
        raise CommandError(f"cannot write to {arguments.output}: {error}; the next call completes the export") from None
    return OK
