"""Judge forecasts that would have been made at weekly origins of the past, from what was known then.

The model of `leadlag forecast` stands beside methods that see nothing but the series: the last weeks again (naive), the same weeks of last
year (seasonal_naive), drift, and exponential smoothing. WAPE is the sum of absolute errors as a share of what happened; gain is how much
smaller it is than that of the seasonal naive forecasts. Coverage says how many of the intervals held what came, which were made of errors
known at their origins. Rows go to prediction_backtest in schema SCHEMA_prediction (--schema).

Exit codes: 0 judged, or too little history yet (the message says what is missing); 1 failed, the message says why; 2 the call was
wrong.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from leadlag.audit.command import profile_name
from leadlag.cli import OK, USAGE
from leadlag.forecast.backtest import MODEL, Judged, Record, backtest, records
from leadlag.forecast.command import VERSION, add_common_arguments, bar, business_timezone
from leadlag.forecast.periods import EPOCH
from leadlag.forecast.source import read_company
from leadlag.forecast.store import intervals, store
from leadlag.warehouse import WarehouseError, connect, find_target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag backtest`."""
    parser.add_argument(
        "--origins", type=int, default=104, metavar="N", help="weekly origins at most, at least 8 (default 104)"
    )
    add_common_arguments(parser)


def row_of(one: Judged) -> dict[str, Any]:
    """A judged forecast as its table has it."""
    return {
        "measure": one.measure,
        "origin_date": EPOCH + timedelta(days=int(one.origin)),
        "horizon_days": one.horizon_days,
        "method": one.method,
        "expected": one.expected,
        "actual": one.actual,
        **intervals(one.intervals),
    }


def _summary(found: list[Record]) -> Iterable[str]:
    yield f"{'measure':<14}{'days':>5}  {'method':<22}{'forecasts':>9}{'WAPE':>9}{'bias':>9}{'gain':>9}{'80 %':>8}{'95 %':>8}"
    for one in found:
        cover = "".join(f"{one.coverage[level]:>8.0%}" if level in one.coverage else " " * 8 for level in (0.8, 0.95))
        yield (
            f"{one.measure:<14}{one.horizon_days:>5}  {one.method:<22}{one.forecasts:>9}{one.wape:>9.1%}{one.bias:>+9.1%}"
            f"{one.gain:>+9.1%}{cover if one.method == MODEL else ''}"
        )


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag backtest`; returns the exit code."""
    if arguments.origins < 8:
        print(f"leadlag backtest: --origins {arguments.origins} is less than 8", file=sys.stderr)
        return USAGE
    try:
        target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
        with connect(target) as warehouse:
            company = read_company(warehouse, business_timezone(arguments))
            try:
                judged = backtest(company.events, company.origin, arguments.origins, bar(arguments, "backtest"))
            except ValueError as error:
                print(f"leadlag backtest: nothing is judged yet: {error}")
                return OK
            schema = arguments.schema or f"{warehouse.schema}_prediction"
            if not arguments.dry_run:
                rows = [row_of(one) for one in judged]
                store(warehouse, schema, "prediction_backtest", company.as_of, VERSION, rows)
    except WarehouseError as error:
        print(f"leadlag backtest: {error}", file=sys.stderr)
        return USAGE
    found = records(judged)
    if arguments.json:
        print(json.dumps([dataclasses.asdict(one) for one in found]))
        return OK
    print("\n".join(_summary(found)))
    if not arguments.dry_run:
        print(f"{len(judged)} rows in {schema}.prediction_backtest")
    return OK
