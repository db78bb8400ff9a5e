"""Probabilities of being won within 90 days and within a year: of entering a stage, by region and product line, and of each open journey.

Reads the marts as they were built. Probabilities are also made as of up to 39 earlier days, 28 days apart, from what had been recorded by
then, and judged by what came: reliability bins, log loss, Brier score, calibration slope, ECE. Maps that mend what was said are learnt from
outcomes known on the day, and left out when earlier ones did harm. The percentages of the CRM are judged beside them. Rows go to
prediction_stage_probability, prediction_journey_probability, prediction_calibration and prediction_model_quality in schema
SCHEMA_prediction (--schema): a run replaces the rows of an earlier run of the same as_of; other days are kept.

Exit codes: 0 written, or too little history yet (the message says what is missing); 1 failed, the message says why; 2 the call was
wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from leadlag.audit.command import profile_name
from leadlag.calibrate.chances import LEAST_OUTCOMES, open_journeys, too_little
from leadlag.calibrate.crm import read_percentages
from leadlag.calibrate.judge import EVERY, JOURNEY, ORIGINS, PERCENTAGE, Cases, Record
from leadlag.calibrate.maps import Map, mapped
from leadlag.calibrate.quality import Metric, metrics, reliability
from leadlag.calibrate.stages import IS_WON, NEXT_STAGE, WITHIN, StageProbability, stage_probabilities
from leadlag.cli import OK, USAGE
from leadlag.forecast.command import add_common_arguments, bar, business_timezone
from leadlag.forecast.journeys import NOWHERE, STAGES
from leadlag.forecast.model import day_of
from leadlag.forecast.source import Company, read_company
from leadlag.forecast.store import intervals, store
from leadlag.warehouse import WarehouseError, connect, find_target

VERSION = "beta-binomial 1"
SHORT, LONG = WITHIN


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag calibrate`."""
    parser.add_argument(
        "--origins", type=int, default=ORIGINS, metavar="N", help=f"earlier days to judge, at most (default {ORIGINS})"
    )
    parser.add_argument(
        "--every", type=int, default=EVERY, metavar="DAYS", help=f"days between them, at least 1 (default {EVERY})"
    )
    parser.add_argument("--short", action="store_true", help="print the total and the record of 90 days only")
    add_common_arguments(parser)


def stage_row(one: StageProbability) -> dict[str, Any]:
    """A probability of a stage as its table has it."""
    return {
        "cut_name": one.cut_name,
        "cut_value": one.cut_value,
        "stage": STAGES[one.stage],
        "outcome": one.outcome,
        "within_days": one.within,
        "entry_count": one.entered,
        "outcome_count": one.came,
        "effective_count": one.size,
        "observed_rate": one.observed,
        "probability": one.probability,
        "total_share": one.total_share,
        **intervals(one.intervals),
        "reason": one.reason,
    }


def journey_columns(company: Company, maps: dict[int, Map]) -> dict[str, Any]:
    """Open journeys by column, as their table has them.

    Args:
        maps: calibration map by the days within which journeys are to be won.
    """
    unsaid = {days: too_little(company.events, company.origin, days) for days in WITHIN}
    found = open_journeys(company.events, company.origin, WITHIN)
    keys = company.keys.iloc[found.journey]
    names = np.array(company.events.segments, dtype=object).reshape(-1, 2)[found.segment]
    names[names == NOWHERE] = None
    nothing = np.full(len(found.age), None, dtype=object)
    raw, said = (
        {days: nothing if unsaid[days] else values[days] for days in WITHIN}
        for values in (found.won, mapped(found.won, maps))
    )
    reasons = [
        f"within {days} days: {unsaid[days] or maps[days].reason}"
        for days in WITHIN
        if unsaid[days] or maps[days].reason
    ]
    return {
        "journey_key": keys["journey_key"].to_numpy(dtype=np.int64),
        "person_key": keys["person_key"].to_numpy(dtype=np.int64),
        "region": names[:, 0],
        "product_line": names[:, 1],
        "stage": np.array(STAGES, dtype=object)[found.stage],
        "days_in_stage": found.age,
        "raw_probability": raw[LONG],
        "probability": said[LONG],
        "raw_probability_90d": raw[SHORT],
        "probability_90d": said[SHORT],
        "reason": np.full(len(found.age), "; ".join(reasons) or None, dtype=object),
    }


def quality_rows(model: str, scope: str, cases: Cases, found: dict[str, Metric]) -> list[dict[str, Any]]:
    """Metrics as their table has them."""
    window = {"window_start": day_of(cases.origin.min()), "window_end": day_of(cases.until.max() - 1)}
    return [
        {
            "model": model,
            "scope": scope,
            "metric": name,
            "value": metric.value,
            "value_low": metric.low,
            "value_high": metric.high,
            "case_count": len(cases),
            **window,
        }
        for name, metric in found.items()
    ]


def bin_rows(model: str, scope: str, cases: Cases) -> list[dict[str, Any]]:
    """Reliability bins as their table has them."""
    return [
        {
            "model": model,
            "scope": scope,
            "bin_number": number,
            "case_count": one.cases,
            "journey_count": one.journeys,
            "lowest_probability": one.lowest,
            "highest_probability": one.highest,
            "mean_probability": one.mean,
            "observed_rate": one.observed,
            "observed_low": one.low,
            "observed_high": one.high,
        }
        for number, one in enumerate(reliability(cases.probability, cases.outcome, cases.journey), start=1)
    ]


def judged(record: Record, hidden: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Rows of bins and of metrics, and what has too few cases to be judged, in words.

    Args:
        hidden: show no progress bar.
    """
    bins, quality, notes = [], [], []
    for (model, scope), cases in tqdm(record.cases.items(), desc="judge", unit="model", disable=hidden):
        journeys = len(np.unique(cases.journey))
        if journeys < LEAST_OUTCOMES:
            notes.append(f"{model} {scope} is not judged: {journeys} journeys are decided, {LEAST_OUTCOMES} are needed")
            continue
        quality += quality_rows(model, scope, cases, metrics(cases.probability, cases.outcome, cases.journey))
        bins += bin_rows(model, scope, cases)
    return bins, quality, notes


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _stage_lines(rows: list[dict[str, Any]]) -> Iterable[str]:
    total = {(row["stage"], row["outcome"], row["within_days"]): row for row in rows if row["cut_name"] == "total"}
    yield f"{'entering':<14}{'entries':>8}{f'won in {SHORT} days':>17}{f'in {LONG} days':>14}  {'(95 % interval)':<18}{'goes on':>8}"
    for stage in STAGES:
        short, long, going_on = total[stage, IS_WON, SHORT], total[stage, IS_WON, LONG], total[stage, NEXT_STAGE, LONG]
        ends = f"({_share(long['low_95'])} to {_share(long['high_95'])})"
        yield (
            f"{stage:<14}{long['entry_count']:>8}{_share(short['probability']):>17}{_share(long['probability']):>14}  {ends:<18}"
            f"{_share(going_on['probability']):>8}"
        )


def _quality_lines(rows: list[dict[str, Any]]) -> Iterable[str]:
    models: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in rows:
        models.setdefault((row["model"], row["scope"]), {})[row["metric"]] = row
    yield f"{'judged':<25}{'scope':<24}{'cases':>9}{'said':>7}{'came':>7}{'log loss':>10}  {'slope':<20}{'ECE':>7}{'by chance':>11}"
    for (model, scope), found in models.items():
        said, came, error, chance = (
            _share(found[name]["value"]) for name in ("mean_probability", "observed_rate", "ece", "ece_by_chance")
        )
        slope, loss = found["calibration_slope"], found["log_loss"]
        told = "-" if slope["value"] is None else "{value:.2f} ({value_low:.2f} to {value_high:.2f})".format(**slope)
        yield (
            f"{model:<25}{scope:<24}{loss['case_count']:>9}{said:>7}{came:>7}{loss['value']:>10.4f}  {told:<20}{error:>7}{chance:>11}"
        )


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag calibrate`; returns the exit code."""
    if arguments.origins < 1 or arguments.every < 1:
        print("leadlag calibrate: --origins and --every must be at least 1", file=sys.stderr)
        return USAGE
    try:
        target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
        with connect(target) as warehouse:
            zone = business_timezone(arguments)
            company = read_company(warehouse, zone)
            reason = too_little(company.events, company.origin, SHORT)
            if reason is not None:
                print(f"leadlag calibrate: nothing is said yet: {reason}")
                return OK
            percentages, no_percentages = read_percentages(warehouse, company.keys, zone)
            record = Record(
                company.events,
                company.origin,
                arguments.origins,
                arguments.every,
                percentages=percentages,
                progress=bar(arguments, "calibrate"),
            )
            hidden = arguments.quiet or arguments.json
            bins, quality, notes = judged(record, hidden)
            stages = tqdm(stage_probabilities(company.events, company.origin), "stages", unit="row", disable=hidden)
            tables: dict[str, Any] = {
                "prediction_stage_probability": [stage_row(one) for one in stages],
                "prediction_journey_probability": journey_columns(company, record.maps),
                "prediction_calibration": bins,
                "prediction_model_quality": quality,
            }
            schema = arguments.schema or f"{warehouse.schema}_prediction"
            if not arguments.dry_run:
                for table, rows in tables.items():
                    store(warehouse, schema, table, company.as_of, VERSION, rows)
    except WarehouseError as error:
        print(f"leadlag calibrate: {error}", file=sys.stderr)
        return USAGE
    if record.judged == 0:
        notes.append(f"nothing is judged yet: {SHORT} days ago too little was known to say anything")
    notes += [f"{PERCENTAGE} is not judged: {no_percentages}"] if no_percentages else []
    notes += [f"within {days} days: {learnt.reason}" for days, learnt in record.maps.items() if learnt.reason]
    journeys = pd.DataFrame(tables["prediction_journey_probability"])
    if arguments.json:
        rows = {**tables, "prediction_journey_probability": journeys.to_dict("records")}
        print(json.dumps({**rows, "notes": notes}, default=str))
        return OK
    print(f"probabilities as of {day_of(company.origin)}")
    print("\n".join(_stage_lines(tables["prediction_stage_probability"])))
    print(f"{len(journeys)} open journeys, {journeys['probability_90d'].sum():,.1f} to be won in {SHORT} days")
    short = [row for row in quality if row["model"] == JOURNEY and row["scope"] == f"won_{SHORT}d"]
    print("\n".join(_quality_lines(short if arguments.short else quality)))
    for note in () if arguments.short else notes:
        print(note)
    if not arguments.dry_run and not arguments.short:
        print(f"rows in {', '.join(f'{schema}.{table}' for table in tables)}")
    return OK
