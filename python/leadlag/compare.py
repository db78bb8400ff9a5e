"""Compare the marts of several targets, row for row: the same inputs must give the same numbers on every engine.

Keys, texts, dates, times and decimals must be equal, floating-point numbers equal within a relative 1e-9. The first
differences of each mart are printed. Every mart is read whole, so use a small company, or --marts.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leadlag.cli import FAILED, OK, CommandError
from leadlag.warehouse import PROFILE, Warehouse, WarehouseError, opened

RELATIVE_TOLERANCE = 1e-9
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Mart:
    """All rows of a mart, in no order; `columns` in the order of the table."""

    columns: tuple[str, ...]
    rows: list[Row]


# A view that repeats every measured row for each cut and period: millions of rows whose sums are those of fct_kpi.
SPREAD = {"kpi_member"}


def read_marts(warehouse: Warehouse, only: Sequence[str] = ()) -> dict[str, Mart]:
    """Every table of the schema `<schema>_marts` of a target but kpi_member, or those named."""
    schema = f"{warehouse.schema}_marts"
    tables = warehouse.tables(schema)
    unknown = sorted(set(only) - tables)
    if unknown or not tables:
        raise WarehouseError(
            f"target {warehouse.target.name!r} has no {', '.join(unknown) or 'marts'} in schema {schema}; "
            "run `dbt build` there first"
        )
    return {table: Mart(*warehouse.rows(schema, table)) for table in sorted(only or tables - SPREAD)}


def _plain(value: Any) -> Any:
    """A value by which equal rows of two engines are found: Spark's times carry the session's zone, UTC."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def _floats_equal(first: Row, second: Row) -> bool:
    return all(
        (a is None) == (b is None) and (a is None or math.isclose(a, b, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12))
        for a, b in zip(first, second, strict=True)
    )


def _order(row: Row) -> tuple[tuple[bool, str], ...]:
    return tuple((value is None, str(value)) for value in row)


def differences(first: Mart, second: Mart, names: tuple[str, str] = ("first", "second")) -> Iterator[str]:
    """What differs between two marts, one line a difference; nothing when they are equal.

    Rows are matched by all columns that hold no floating-point number, so no key has to be known. What is left on
    both sides is paired in order of its values, which brings together rows that differ in a later column.
    """
    if first.columns != second.columns:
        yield f"columns: {names[0]} has {', '.join(first.columns)}; {names[1]} has {', '.join(second.columns)}"
        return
    places = range(len(first.columns))
    floating = [i for i in places if any(isinstance(row[i], float) for mart in (first, second) for row in mart.rows)]
    exact = [i for i in places if i not in floating]
    groups: dict[Row, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
    for side, mart in enumerate((first, second)):
        for row in mart.rows:
            groups[tuple(_plain(row[i]) for i in exact)][side].append(tuple(row[i] for i in floating))
    left: tuple[list[Row], list[Row]] = ([], [])
    for key, found in groups.items():
        ours, theirs = found
        unmatched = []
        for row in ours:
            twin = next((i for i, other in enumerate(theirs) if _floats_equal(row, other)), None)
            if twin is None:
                unmatched.append(row)
            else:
                del theirs[twin]
        for side, rows in enumerate((unmatched, theirs)):
            left[side].extend((*key, *row) for row in rows)
    columns = [first.columns[i] for i in (*exact, *floating)]
    ours, theirs = (sorted(rows, key=_order) for rows in left)
    for a, b in zip(ours, theirs, strict=False):
        unlike = [f"{c} {x!r} | {y!r}" for c, x, y in zip(columns, a, b, strict=True) if x != y]
        yield f"{columns[0]} {a[0]!r}: {'; '.join(unlike)}"
    for side, rows in enumerate((ours, theirs)):
        for row in rows[min(len(ours), len(theirs)) :]:
            yield f"only in {names[side]}: " + ", ".join(f"{c} {v!r}" for c, v in zip(columns, row, strict=True))


def compare(marts: Mapping[str, Mapping[str, Mart]], show: int = 5) -> list[str]:
    """Compare every target with the first one.

    Args:
        marts: target name -> mart name -> mart; at least two targets.
        show: differences that are written out for each mart.

    Returns:
        Lines that say what differs; empty when all marts of all targets are equal.
    """
    (reference, expected), *others = marts.items()
    lines = []
    for name, found in others:
        for table in sorted(expected.keys() | found.keys()):
            if table not in expected or table not in found:
                lines.append(f"{table}: only in {name if table in found else reference}")
                continue
            unlike = list(differences(expected[table], found[table], (reference, name)))
            if unlike:
                lines.append(f"{table}: {len(unlike)} differences between {reference} and {name}")
                lines += [f"  {line}" for line in unlike[:show]]
    return lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag compare`."""
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="two or more targets of the dbt profile")
    parser.add_argument("--marts", nargs="+", default=[], metavar="MART", help="these only (default: all)")
    parser.add_argument("--show", type=int, default=5, metavar="N", help="differences a mart (default %(default)s)")
    parser.add_argument(
        "--profiles-dir", metavar="DIR", help="folder of profiles.yml (default DBT_PROFILES_DIR, else .)"
    )
    parser.add_argument("--profile", default=PROFILE, metavar="NAME", help="default %(default)s")


def run(arguments: argparse.Namespace) -> int:
    """Print what differs; 1 when anything does."""
    if len(set(arguments.targets)) < 2:
        raise CommandError("name at least two different targets")
    marts = {}
    try:
        for name in arguments.targets:
            with opened(name, arguments.profiles_dir, arguments.profile) as warehouse:
                marts[name] = read_marts(warehouse, arguments.marts)
    except WarehouseError as error:
        raise CommandError(str(error)) from None
    lines = compare(marts, arguments.show)
    if lines:
        print("\n".join(lines), file=sys.stderr)
        return FAILED
    first = marts[arguments.targets[0]]
    rows = sum(len(mart.rows) for mart in first.values())
    print(f"{len(first)} marts, {rows} rows: equal on {', '.join(arguments.targets)}")
    return OK
