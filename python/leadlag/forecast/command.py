"""Forecast MQLs, SQLs, opportunities, wins and won amount by day, week, month and quarter, up to two quarters ahead.

Reads the marts as they were built; open journeys are carried on by the rates at which journeys left the stages of the last two
years, and journeys still to come are added. Each number comes with where it is from and with 80 and 95 % intervals made of the errors of
earlier forecasts; when those errors signal a change, centre and spread are recalibrated, which is told and recorded. What the running month
and quarter have brought is held against what was said when they began.

Rows go to prediction_forecast, prediction_deviation and prediction_recalibration in schema SCHEMA_prediction (--schema): a run replaces the
rows of an earlier run of the same as_of, so it may be repeated; other days are kept. Forecasts begin with the business day of as_of.

Exit codes: 0 written, or too little history yet (the message says what is missing); 1 failed, the message says why; 2 the call was
wrong.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import yaml
from tqdm import tqdm

from leadlag.audit.command import profile_name
from leadlag.cli import OK, USAGE
from leadlag.forecast.intervals import Recalibration
from leadlag.forecast.model import day_of
from leadlag.forecast.periods import HORIZON, Deviation, Outlook, Prediction
from leadlag.forecast.source import Company, project_variable, read_company
from leadlag.forecast.store import intervals, store
from leadlag.project import add_project_arguments
from leadlag.warehouse import Warehouse, WarehouseError, connect, find_target, quote

# Of the method, not of the package: another number when forecasts change (seed model_change says what changed).
VERSION = "semi-markov 2"


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of forecast and backtest."""
    parser.add_argument("--dry-run", action="store_true", help="print, write nothing")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON instead of a summary")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--schema", help="schema of the prediction tables (default: that of dbt with _prediction)")
    add_project_arguments(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag forecast`."""
    parser.add_argument(
        "--horizon", type=int, default=HORIZON, metavar="DAYS", help=f"days ahead, 28 to 366 (default {HORIZON})"
    )
    add_common_arguments(parser)


def bar(arguments: argparse.Namespace, what: str) -> Callable[[list[float]], Iterable[float]]:
    """A progress bar over origins."""

    def progress(origins: list[float]) -> Iterable[float]:
        hidden = arguments.quiet or arguments.json
        return (origin for origin in tqdm(origins, desc=what, unit="origin", disable=hidden))

    return progress


def row_of(prediction: Prediction, currency: str, changed: str | None) -> dict[str, Any]:
    """A prediction as its table has it.

    currency: of amounts. changed: what is to be said of amounts because it is another one than before.
    """
    period = prediction.period
    is_amount = prediction.measure == "won_amount"
    told = [text for text in (prediction.reason, changed if is_amount else None) if text]
    return {
        "measure": prediction.measure,
        "cut_name": prediction.cut_name,
        "cut_value": prediction.cut_value,
        "period_grain": period.grain,
        "period_start": period.start,
        "period_end": period.start + timedelta(days=period.last - period.first - 1),
        "expected": prediction.expected,
        "actual_to_date": prediction.actual_to_date,
        "from_open": prediction.from_open,
        "from_arrivals": prediction.from_arrivals,
        **intervals(prediction.intervals),
        "completed_forecasts": prediction.completed,
        "unit": currency if is_amount else "journeys",
        "reason": "; ".join(told) or None,
    }


def deviation_row(deviation: Deviation) -> dict[str, Any]:
    """A deviation as its table has it."""
    return {
        "measure": deviation.measure,
        "cut_name": deviation.cut_name,
        "cut_value": deviation.cut_value,
        "period_grain": deviation.period_grain,
        "period_start": deviation.period_start,
        "elapsed_days": deviation.days,
        "expected": deviation.expected,
        "actual": deviation.actual,
        **intervals(deviation.intervals),
        "completed_forecasts": deviation.completed,
        "reason": deviation.reason,
    }


def recalibration_row(measure: str, found: Recalibration) -> dict[str, Any]:
    """What was learnt of a measure as its table has it; nothing of errors that there are not."""
    return {
        "measure": measure,
        "signal": found.signal,
        "changed_on": None if math.isnan(found.changed_on) else day_of(found.changed_on),
        "centre_factor": math.exp(found.centre),
        "spread_factor": found.scale,
        "independent_forecasts": found.judged,
        "covered_before": found.covered,
        "covered_after": found.covered_after,
        "band_low": found.band[0],
        "band_high": found.band[1],
        "error_before": None if math.isnan(found.error_before) else found.error_before,
        "error_after": None if math.isnan(found.error_after) else found.error_after,
    }


def _summary(rows: list[dict[str, Any]], company: Company) -> Iterable[str]:
    yield f"forecast from {day_of(company.origin)}, with 80 % intervals:"
    for row in rows:
        if row["cut_name"] == "total" and row["period_grain"] == "quarter":
            known = row["low_80"] is not None
            ends = f"{row['low_80']:,.0f} to {row['high_80']:,.0f}" if known else "no interval yet"
            yield (
                f"  {row['period_start']} to {row['period_end']}  {row['measure']:<12}{row['expected']:>14,.0f}  ({ends}); "
                f"so far {row['actual_to_date']:,.0f}, from open journeys {row['from_open']:,.0f}, "
                f"from journeys to come {row['from_arrivals']:,.0f}"
            )
    if rows and rows[0]["reason"]:
        yield f"  fallback: {rows[0]['reason']}"


def _recalibrated(outlook: Outlook) -> Iterable[str]:
    for measure, found in outlook.recalibrations.items():
        if found.signal != "none":
            yield (
                f"  recalibrated: {measure} x {math.exp(found.centre):.2f}, spread x {found.scale:.2f} "
                f"({found.signal} of past errors, {day_of(found.changed_on)})"
            )


def _variable(arguments: argparse.Namespace, name: str, default: str) -> str:
    given = yaml.safe_load(arguments.vars) or {}
    return str(project_variable(arguments.project_dir, name, given) or default)


def business_timezone(arguments: argparse.Namespace) -> str:
    """Variable business_timezone of the project."""
    return _variable(arguments, "business_timezone", "UTC")


def base_currency(warehouse: Warehouse, arguments: argparse.Namespace) -> str:
    """Currency that the marts were built in, as dim_kpi says it; variable base_currency where that is not built."""
    marts = f"{warehouse.schema}_marts"
    if "dim_kpi" in warehouse.tables(marts):
        told = warehouse.query(f"select unit from {marts}.dim_kpi where kpi = 'won_revenue'")["unit"]
        if not told.empty:
            return str(told.iloc[0])
    return _variable(arguments, "base_currency", "EUR")


def currency_change(warehouse: Warehouse, schema: str, as_of: datetime, currency: str) -> str | None:
    """What there is to say when the amounts of the forecast before this one are in another base currency."""
    table = "prediction_forecast"
    if table not in warehouse.tables(schema):
        return None
    place = f"{quote(schema)}.{quote(table)}"
    if "unit" not in warehouse.query(f"select * from {place} where 1 = 0").columns:
        return None
    before = warehouse.query(
        f"select unit from {place} where measure = 'won_amount' and unit is not null and as_of < timestamp '{as_of}' "
        "order by as_of desc limit 1"
    )["unit"]
    if before.empty or before.iloc[0] == currency:
        return None
    return f"amounts are in {currency}; those of forecasts before this one are in {before.iloc[0]}"


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag forecast`; returns the exit code."""
    if not 28 <= arguments.horizon <= 366:
        print(f"leadlag forecast: --horizon {arguments.horizon} is not between 28 and 366 days", file=sys.stderr)
        return USAGE
    try:
        target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
        with connect(target) as warehouse:
            company = read_company(warehouse, business_timezone(arguments))
            try:
                outlook = Outlook(company.events, company.origin, arguments.horizon, bar(arguments, "forecast"))
            except ValueError as error:
                print(f"leadlag forecast: nothing is forecast yet: {error}")
                return OK
            schema = arguments.schema or f"{warehouse.schema}_prediction"
            currency = base_currency(warehouse, arguments)
            changed = currency_change(warehouse, schema, company.as_of, currency)
            rows = [row_of(prediction, currency, changed) for prediction in outlook.predictions()]
            tables = {
                "prediction_forecast": rows,
                "prediction_deviation": [deviation_row(deviation) for deviation in outlook.deviations()],
                "prediction_recalibration": [
                    recalibration_row(measure, found) for measure, found in outlook.recalibrations.items()
                ],
            }
            if not arguments.dry_run:
                for table, told in tables.items():
                    store(warehouse, schema, table, company.as_of, VERSION, told)
    except WarehouseError as error:
        print(f"leadlag forecast: {error}", file=sys.stderr)
        return USAGE
    if arguments.json:
        print(json.dumps(rows, default=str))
        return OK
    print("\n".join([*_summary(rows, company), *_recalibrated(outlook), *([f"  {changed}"] if changed else [])]))
    if not arguments.dry_run:
        print(f"  {len(rows)} rows in {schema}.prediction_forecast")
    return OK
