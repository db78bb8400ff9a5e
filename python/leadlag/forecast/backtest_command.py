"""Judge forecasts that would have been made at weekly origins of the past, from what was known then.

The model of `leadlag forecast` stands beside methods that see nothing but the series - the last weeks again (naive), the same weeks of last
year (seasonal_naive), drift, exponential smoothing and ETS with a damped trend - and beside what the CRM says: stage probability of open
opportunities, times their amount. WAPE is the sum of absolute errors as a share of what happened; gain is how much smaller it is than that
of the seasonal naive forecasts. Coverage says how many of the intervals held what came, which were made of errors known at their origins.
95 % intervals of the metrics leave out one block of origins at a time (docs/forecast.md).

Rows go to prediction_backtest, prediction_accuracy and prediction_model_quality in schema SCHEMA_prediction (--schema), those of an origin
as soon as it is judged. A run that was interrupted goes on where it stopped: the same as_of, model version and, as far as it was judged,
past; else, and with --anew, all is judged anew.

Exit codes: 0 judged, or too little history yet (the message says what is missing); 1 failed, the message says why; 2 the call was
wrong; 130 interrupted.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from leadlag.audit.command import profile_name
from leadlag.cli import OK, USAGE
from leadlag.forecast.accuracy import month_starts, variances
from leadlag.forecast.backtest import MODEL, Backtest, Judged, Metric, Record, records
from leadlag.forecast.command import VERSION, add_common_arguments, bar, business_timezone
from leadlag.forecast.intervals import LEVELS
from leadlag.forecast.model import EPOCH, day_of
from leadlag.forecast.source import Company, read_company
from leadlag.forecast.store import intervals, store, stored
from leadlag.warehouse import Warehouse, WarehouseError, connect, find_target

# Name of the model in prediction_model_quality and in seed model_change.
MODEL_NAME = "forecast"
TABLES = ("prediction_backtest", "prediction_accuracy", "prediction_model_quality")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag backtest`."""
    parser.add_argument(
        "--origins", type=int, default=104, metavar="N", help="weekly origins at most, at least 8 (default 104)"
    )
    parser.add_argument("--anew", action="store_true", help="judge all origins again, also those of an earlier run")
    parser.add_argument("--short", action="store_true", help="print the record of wins only, in words")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw wins of 13 weeks, forecast and actual, to a .png or .svg file"
    )
    add_common_arguments(parser)


def row_of(one: Judged) -> dict[str, Any]:
    """A judged forecast as its table has it."""
    return {
        "measure": one.measure,
        "origin_date": day_of(one.origin),
        "horizon_days": one.horizon_days,
        "method": one.method,
        "expected": one.expected,
        "actual": one.actual,
        "scale": one.scale or None,
        **intervals(one.intervals),
    }


def judged_of(row: dict[str, Any]) -> Judged:
    """A row of the table as it was judged."""
    ends = {level: (row[f"low_{level * 100:.0f}"], row[f"high_{level * 100:.0f}"]) for level in LEVELS}
    return Judged(
        float((pd.Timestamp(row["origin_date"]).date() - EPOCH).days),
        str(row["measure"]),
        int(row["horizon_days"]),
        str(row["method"]),
        float(row["expected"]),
        float(row["actual"]),
        float(row["scale"] or 0.0),
        {level: pair for level, pair in ends.items() if pair[0] is not None},
    )


def continued(plan: Backtest, rows: Sequence[dict[str, Any]]) -> list[Judged]:
    """What an earlier run has judged, if its origins are the first of this one and what happened is still the same; else nothing."""
    done = sorted((judged_of(row) for row in rows), key=lambda one: one.origin)
    seen = sorted({one.origin for one in done})
    same = seen == plan.origins[: len(seen)] and all(
        math.isclose(one.actual, plan.happened(one.measure, one.origin, one.horizon_days), abs_tol=1e-6) for one in done
    )
    return done if same else []


def quality_rows(found: Sequence[Record], judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Metrics of the model as prediction_model_quality has them."""
    window = {"window_start": day_of(min(one.origin for one in judged))}
    rows = []
    for record in found:
        scope = f"{record.measure}_{record.horizon_days}d"
        metrics: dict[str, Metric | None] = {f"gain_over_{record.method}": record.model_gain}
        if record.method == MODEL:
            metrics = {"wape": record.wape, "bias": record.bias, "mase": record.mase}
            metrics |= {f"coverage_{level * 100:.0f}": value for level, value in record.coverage.items()}
            metrics |= {f"pinball_{level * 100:.0f}": value for level, value in record.pinball.items()}
        last = max(one.origin + record.horizon_days for one in judged if one.horizon_days == record.horizon_days)
        rows += [
            {
                "model": MODEL_NAME,
                "scope": scope,
                "metric": name,
                "value": value.value if math.isfinite(value.value) else None,
                "value_low": value.low,
                "value_high": value.high,
                "case_count": record.forecasts,
                **window,
                "window_end": day_of(last - 1),
            }
            for name, value in metrics.items()
            if value is not None
        ]
    return rows


def _months(warehouse: Warehouse, schema: str, company: Company, plan: Backtest, arguments: argparse.Namespace) -> int:
    """Split the variances of the months that the back-test spans; returns how many months."""
    months = month_starts(plan.origins[0], company.origin)
    done: set[date] = set()
    if not arguments.dry_run:
        rows = stored(warehouse, schema, "prediction_accuracy", company.as_of, VERSION)
        done = {pd.Timestamp(row["month_start"]).date() for row in rows}
    for start in bar(arguments, "months")([one for one in months if day_of(one) not in done]):
        rows = [dataclasses.asdict(one) for one in variances(company.events, start, company.origin)]
        if not arguments.dry_run:
            store(
                warehouse, schema, "prediction_accuracy", company.as_of, VERSION, rows, {"month_start": day_of(start)}
            )
    return len(months)


def _summary(found: list[Record]) -> Iterable[str]:
    yield (
        f"{'measure':<12}{'days':>5}  {'method':<21}{'forecasts':>9}{'WAPE':>8}{'bias':>8}{'MASE':>7}{'gain':>8}"
        f"{'80 %':>7}{'95 %':>7}"
    )
    for one in found:
        cover = "".join(f"{one.coverage[level].value:>7.0%}" for level in LEVELS if level in one.coverage)
        yield (
            f"{one.measure:<12}{one.horizon_days:>5}  {one.method:<21}{one.forecasts:>9}{_cell(one.wape, '8.1%')}"
            f"{_cell(one.bias, '+8.1%')}{_cell(one.mase, '7.2f')}{_cell(one.gain, '+8.1%')}{cover}"
        )


def _cell(metric: Metric, form: str) -> str:
    """A value in its column; a dash where it has none."""
    width = int(form.lstrip("+").split(".")[0])
    return format(metric.value, f">{form}") if math.isfinite(metric.value) else "-".rjust(width)


def _honest(found: list[Record]) -> Iterable[str]:
    """The record in a line a horizon, for people who read no tables."""
    last_year = {
        one.horizon_days: one.wape.value for one in found if (one.measure, one.method) == ("won", "seasonal_naive")
    }
    for one in found:
        if one.measure != "won" or one.method != MODEL or 0.8 not in one.coverage:
            continue
        if not math.isfinite(one.wape.value):
            yield f"  no wins came in the {one.horizon_days // 7} weeks of any of {one.forecasts} forecasts"
            continue
        low, high = one.wape.low, one.wape.high
        ends = f" ({_percent(low)} to {_percent(high)})" if low is not None and high is not None else ""
        yield (
            f"  {one.horizon_days // 7} weeks of wins were wrong by {_percent(one.wape.value)}{ends}, last year's weeks by "
            f"{_percent(last_year[one.horizon_days])}; {_percent(one.coverage[0.8].value)} of the 80 % intervals held "
            f"({one.forecasts} forecasts, {one.independent} independent)"
        )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


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
                plan = Backtest(company.events, company.origin, arguments.origins, company.pipeline)
            except ValueError as error:
                print(f"leadlag backtest: nothing is judged yet: {error}")
                return OK
            schema = arguments.schema or f"{warehouse.schema}_prediction"
            run_of = (company.as_of, VERSION)
            done: list[Judged] = []
            if not arguments.dry_run:
                if not arguments.anew:
                    done = continued(plan, stored(warehouse, schema, TABLES[0], *run_of))
                if not done:
                    for table in TABLES[:2]:
                        store(warehouse, schema, table, *run_of, [])

            def keep(rows: list[Judged]) -> None:
                if not arguments.dry_run:
                    part = {"origin_date": day_of(rows[0].origin)}
                    store(warehouse, schema, TABLES[0], *run_of, [row_of(one) for one in rows], part)

            judged = plan.run(done, keep, bar(arguments, "backtest"))
            months = _months(warehouse, schema, company, plan, arguments)
            found = records(judged)
            if not arguments.dry_run:
                store(warehouse, schema, TABLES[2], *run_of, quality_rows(found, judged), {"model": MODEL_NAME})
    except WarehouseError as error:
        print(f"leadlag backtest: {error}", file=sys.stderr)
        return USAGE
    if arguments.plot:
        from leadlag.forecast.plot import plot

        plot(arguments.plot, judged, found)
    if arguments.json:
        print(json.dumps(_finite([dataclasses.asdict(one) for one in found])))
        return OK
    print(
        "\n".join([*(() if arguments.short else _summary(found)), "forecasts made earlier, judged:", *_honest(found)])
    )
    if not arguments.dry_run:
        before = f", {len({one.origin for one in done})} of them judged before" if done else ""
        print(f"  {len(plan.origins)} origins{before}, and {months} months in schema {schema}")
    if arguments.plot:
        print(f"  picture: {arguments.plot}")
    return OK


def _finite(value: Any) -> Any:
    """The same with None for what has no value."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
