"""Load offline touches - trade shows, meetings, calls, mail - from a CSV that people fill in.

`leadlag load-offline --template touches.csv` writes the empty template. A file is loaded as a whole or not at all: every cell that
cannot be used is named with its row, column, rule and remedy. Loading a file of the same name again replaces what it brought before, so
the file stays the place where mistakes are mended. The rows are in table `touch` of schema `offline` (--schema); take connector
`offline` into var connectors, and `dbt build` makes touchpoints of them.

Columns: email, touched_at (ISO 8601: a day, which counts as its noon, or a time; without an offset in --timezone), touch_type
(trade_show, meeting, call, mail or other); optional touch_id (else made of the three), campaign_name, self_reported_source (the answer to
"How did you hear about us?"), note, entered_by. Separators: comma or semicolon.

Exit codes: 0 loaded; 1 refused, nothing is loaded; 2 the call was wrong.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from leadlag.audit.command import profile_name
from leadlag.cli import OK, USAGE, CommandError
from leadlag.project import add_project_arguments
from leadlag.warehouse import Warehouse, WarehouseError, connect, find_target

TABLE = "touch"
TYPES = ("trade_show", "meeting", "call", "mail", "other")
REQUIRED = ("email", "touched_at", "touch_type")
OPTIONAL = ("touch_id", "campaign_name", "self_reported_source", "note", "entered_by")
# As quarantine_rule text_too_long, so that no row is taken here and refused there.
LONGEST = 255
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_STORED = pa.schema(
    {
        **dict.fromkeys(("touch_id", "email"), pa.string()),
        "touched_at": pa.timestamp("us"),
        **dict.fromkeys(
            ("touch_type", "campaign_name", "self_reported_source", "note", "entered_by", "file_name"), pa.string()
        ),
        "entered_at": pa.timestamp("us"),
    }.items()
)
_ERRORS_SHOWN = 50


@dataclass(frozen=True)
class Touch:
    """A row of the file that can be loaded; times in UTC, without an offset.

    Attributes:
        entered_at: when this content was first loaded, which is when the warehouse could know of it.
    """

    touch_id: str
    email: str
    touched_at: datetime
    touch_type: str
    campaign_name: str | None
    self_reported_source: str | None
    note: str | None
    entered_by: str | None
    file_name: str
    entered_at: datetime


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag load-offline`."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the filled-in CSV; with --template, where it goes")
    parser.add_argument("--template", action="store_true", help="write an empty template and end")
    parser.add_argument("--timezone", default="UTC", metavar="ZONE", help="of times without an offset (default UTC)")
    parser.add_argument("--schema", default="offline", help="schema of table touch (default offline)")
    add_project_arguments(parser)


def _lines(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows with their line numbers; rows without any text are left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=";" if first.count(";") > first.count(",") else ",", strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            return header, [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} is no CSV in UTF-8: {error}; save it as CSV UTF-8") from None


def _moment(text: str, zone: ZoneInfo) -> datetime:
    """A day's noon, or a time, in UTC."""
    try:
        moment = datetime.combine(date.fromisoformat(text), time(12))
    except ValueError:
        moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC).replace(tzinfo=None)


def _faults(cells: Mapping[str, str], zone: ZoneInfo, now: datetime) -> Iterator[tuple[str, str]]:
    """(column, what is wrong and what to do) of a row."""
    if not _ADDRESS.fullmatch(cells["email"]):
        yield "email", "is no e-mail address; write the person's address, by which the touch is linked"
    try:
        if _moment(cells["touched_at"], zone) > now:
            yield "touched_at", "lies in the future; only what has happened is a touch"
    except ValueError:
        yield "touched_at", "is no time of ISO 8601; write 2026-03-31 or 2026-03-31T14:30"
    if cells["touch_type"] not in TYPES:
        yield "touch_type", f"is unknown; write one of {', '.join(TYPES)}"
    for column, text in cells.items():
        if len(text) > LONGEST:
            yield column, f"has more than {LONGEST} characters; shorten it"


def _refuse(path: Path, errors: Sequence[str]) -> CommandError:
    shown = [f"\n  {path}, {error}" for error in errors[:_ERRORS_SHOWN]]
    rest = f"\n  and {len(errors) - _ERRORS_SHOWN} more" if len(errors) > _ERRORS_SHOWN else ""
    return CommandError(f"nothing was loaded:{''.join(shown)}{rest}")


def read_touches(path: Path, zone: ZoneInfo, now: datetime) -> list[Touch]:
    """Rows of a filled-in template.

    Args:
        zone: of times without an offset.
        now: UTC without offset; later touches are refused, and rows are entered at it.

    Raises:
        CommandError: naming every cell that cannot be used.
    """
    header, rows = _lines(path)
    known = (*REQUIRED, *OPTIONAL)
    errors = [f"row 1: column {name!r} is missing; `--template` writes all" for name in REQUIRED if name not in header]
    errors += [
        f"row 1: column {name!r} is unknown; there are {', '.join(known)}" for name in header if name not in known
    ]
    errors += [f"row 1: column {name!r} is there twice" for name in sorted(set(header)) if header.count(name) > 1]
    if errors:
        raise _refuse(path, errors)
    found: dict[str, tuple[int, Touch]] = {}
    for number, row in rows:
        if len(row) > len(header):
            errors.append(
                f"row {number}: {len(row)} cells for {len(header)} columns; quote cells that hold a separator"
            )
            continue
        cells = {name: cell.strip() for name, cell in zip(header, [*row, *[""] * len(header)], strict=False)}
        cells["touch_type"] = cells["touch_type"].lower().replace(" ", "_")
        faults = [f"row {number}, column {name}: {cells[name]!r} {fault}" for name, fault in _faults(cells, zone, now)]
        errors += faults
        if faults:
            continue
        moment = _moment(cells["touched_at"], zone)
        natural = "|".join((cells["email"].lower(), moment.isoformat(), cells["touch_type"]))
        touch_id = cells.get("touch_id") or hashlib.sha256(natural.encode()).hexdigest()[:16]
        if touch_id in found:
            errors.append(
                f"row {number}: the same touch as row {found[touch_id][0]}; remove one, or give them a touch_id each"
            )
            continue
        texts = {name: cells.get(name) or None for name in OPTIONAL if name != "touch_id"}
        touch = Touch(
            touch_id, cells["email"], moment, cells["touch_type"], **texts, file_name=path.name, entered_at=now
        )
        found[touch_id] = (number, touch)
    if errors:
        raise _refuse(path, errors)
    return [touch for _, touch in found.values()]


def load(warehouse: Warehouse, schema: str, touches: Sequence[Touch], file_name: str) -> tuple[int, int]:
    """Replace the rows of a file by these.

    A row that is as it was keeps its entered_at.

    Returns:
        Rows loaded now, and rows that the file had before.

    Raises:
        CommandError: another file has a touch of the same id.
    """
    stored: list[Touch] = []
    if TABLE in warehouse.tables(schema):
        columns, rows = warehouse.rows(schema, TABLE)
        order = [columns.index(name) for name in _STORED.names]
        stored = [Touch(**dict(zip(_STORED.names, (row[at] for at in order), strict=True))) for row in rows]
    before = {touch.touch_id: touch for touch in stored if touch.file_name == file_name}
    others = {touch.touch_id: touch for touch in stored if touch.file_name != file_name}
    repeated = [
        f"{touch.touch_id!r} is in {others[touch.touch_id].file_name}" for touch in touches if touch.touch_id in others
    ]
    if repeated:
        raise CommandError(
            f"nothing was loaded: touches of other files: {'; '.join(repeated[:_ERRORS_SHOWN])}; remove them here or there"
        )

    def entered(touch: Touch) -> Touch:
        known = before.get(touch.touch_id)
        same = known is not None and replace(known, entered_at=touch.entered_at) == touch
        return known if known is not None and same else touch

    kept = [*others.values(), *map(entered, touches)]
    is_duckdb = warehouse.target.kind == "duckdb"
    if is_duckdb:
        warehouse.execute("begin transaction")
    warehouse.create(schema, TABLE, _STORED)
    warehouse.append(schema, TABLE, pa.Table.from_pylist([vars(touch) for touch in kept], schema=_STORED))
    if is_duckdb:
        warehouse.execute("commit")
    warehouse.finish()
    return len(touches), len(before)


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag load-offline`; returns the exit code."""
    if arguments.template:
        if arguments.file.exists():
            raise CommandError(f"{arguments.file} exists; name a new file")
        arguments.file.write_text(",".join((*REQUIRED, *OPTIONAL)) + "\n", encoding="utf-8")
        print(f"{arguments.file}: fill in a row a touch; touch_type is one of {', '.join(TYPES)}")
        return OK
    try:
        zone = ZoneInfo(arguments.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        print(
            f"leadlag load-offline: --timezone {arguments.timezone!r} is no time zone; write e.g. Europe/Berlin",
            file=sys.stderr,
        )
        return USAGE
    touches = read_touches(arguments.file, zone, datetime.now(UTC).replace(tzinfo=None))
    try:
        target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
        with connect(target) as warehouse:
            loaded, before = load(warehouse, arguments.schema, touches, arguments.file.name)
    except WarehouseError as error:
        print(f"leadlag load-offline: {error}", file=sys.stderr)
        return USAGE
    print(f"{arguments.schema}.{TABLE}: {loaded} touches of {arguments.file.name}, which had {before} before")
    return OK
