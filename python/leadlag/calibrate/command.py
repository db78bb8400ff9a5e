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
import dataclasses
import json
import sys
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from leadlag import __version__
from leadlag.audit.command import profile_name
from leadlag.calibrate.chances import LEAST_OUTCOMES, open_journeys, too_little
from leadlag.calibrate.crm import read_percentages
from leadlag.calibrate.judge import CRM, EVERY, JOURNEY, ORIGINS, RAW_JOURNEY, Cases, Record
from leadlag.calibrate.maps import Map
from leadlag.calibrate.quality import Metric, metrics, reliability
from leadlag.calibrate.stages import WITHIN, StageProbability, stage_probabilities
from leadlag.cli import OK, USAGE
from leadlag.forecast.command import add_common_arguments, bar, business_timezone
from leadlag.forecast.journeys import NOWHERE, STAGES
from leadlag.forecast.periods import EPOCH
from leadlag.forecast.source import Company, read_company
from leadlag.forecast.store import intervals, store
from leadlag.warehouse import WarehouseError, connect, find_target

VERSION = f"beta-binomial {__version__}"
SHORT, LONG = WITHIN


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag calibrate`."""
    parser.add_argument(
        "--origins", type=int, default=ORIGINS, metavar="N", help=f"earlier days to judge, at most (default {ORIGINS})"
    )
    parser.add_argument(
        "--every", type=int, default=EVERY, metavar="DAYS", help=f"days between them, at least 1 (default {EVERY})"
    )
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
    """Open journeys by column, as their table has them."""
    found = open_journeys(company.events, company.origin)
    keys = company.keys.iloc[found.journey]
    names = np.array(company.events.segments, dtype=object).reshape(-1, 2)[found.segment]
    names[names == NOWHERE] = None
    reasons = [f"within {days} days: {learnt.reason}" for days, learnt in maps.items() if learnt.reason]
    return {
        "journey_key": keys["journey_key"].to_numpy(dtype=np.int64),
        "person_key": keys["person_key"].to_numpy(dtype=np.int64),
        "region": names[:, 0],
        "product_line": names[:, 1],
        "stage": np.array(STAGES, dtype=object)[found.stage],
        "days_in_stage": found.age,
        "raw_probability": found.won[LONG],
        "probability": maps[LONG](found.won[LONG]),
        "raw_probability_90d": found.won[SHORT],
        "probability_90d": maps[SHORT](found.won[SHORT]),
        "reason": np.full(len(found.age), "; ".join(reasons) or None, dtype=object),
    }


def _day(moment: float) -> date:
    return EPOCH + timedelta(days=int(moment))


def quality_rows(model: str, scope: str, cases: Cases, found: dict[str, Metric]) -> list[dict[str, Any]]:
    """Metrics as their table has them."""
    window = {"window_start": _day(cases.origin.min()), "window_end": _day(cases.until.max() - 1)}
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


@dataclasses.dataclass(frozen=True)
class Findings:
    """Rows of the four tables, and what could not be judged, in words."""

    stages: list[dict[str, Any]]
    journeys: dict[str, Any]
    bins: list[dict[str, Any]]
    quality: list[dict[str, Any]]
    notes: list[str]


def judged(record: Record, hidden: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Bins, metrics, and what has too few cases to be judged."""
    bins, quality, notes = [], [], []
    for (model, scope), cases in tqdm(record.cases.items(), desc="judge", unit="model", disable=hidden):
        journeys = len(np.unique(cases.journey))
        if journeys < LEAST_OUTCOMES:
            notes.append(
                f"{model}, {scope}: not judged, {journeys} journeys are decided and {LEAST_OUTCOMES} are needed"
            )
            continue
        quality += quality_rows(model, scope, cases, metrics(cases.probability, cases.outcome, cases.journey))
        bins += bin_rows(model, scope, cases)
    return bins, quality, notes


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _summary(found: Findings, company: Company) -> Iterable[str]:
    yield f"probabilities as of {_day(company.origin)}, with 95 % intervals:"
    total = {
        (row["stage"], row["outcome"], row["within_days"]): row for row in found.stages if row["cut_name"] == "total"
    }
    for stage in STAGES:
        year = total[stage, "won", LONG]
        yield (
            f"  {stage:<12} won within a year {_share(year['probability']):>6} ({_share(year['low_95'])} to {_share(year['high_95'])}), "
            f"within {SHORT} days {_share(total[stage, 'won', SHORT]['probability']):>6}; "
            f"moves on {_share(total[stage, 'next_stage', LONG]['probability']):>6}; {year['entry_count']} entries"
        )
    said = found.journeys["probability"]
    yield f"  {len(said)} open journeys, of which {said.sum():,.1f} are expected to be won within a year"
    rows: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for row in found.quality:
        rows.setdefault((row["model"], row["scope"]), {})[row["metric"]] = row
    shown = {key: one for key, one in rows.items() if key[0] in (JOURNEY, RAW_JOURNEY, CRM)}
    for (model, scope), one in shown.items():
        slope = one["calibration_slope"]
        ends = f" ({slope['value_low']:.2f} to {slope['value_high']:.2f})" if slope["value"] is not None else ""
        yield (
            f"  {model:<24}{scope:<22} said {_share(one['mean_probability']['value'])}, came {_share(one['observed_rate']['value'])}; "
            f"log loss {one['log_loss']['value']:.4f}; slope {'-' if slope['value'] is None else format(slope['value'], '.2f')}{ends}; "
            f"ECE {_share(one['ece']['value'])}, by chance {_share(one['ece_by_chance']['value'])}; {slope['case_count']} cases"
        )
    yield from (f"  {note}" for note in found.notes)


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
            reason = too_little(company.events, company.origin)
            if reason is not None:
                print(f"leadlag calibrate: nothing is said yet: {reason}")
                return OK
            crm, no_crm = read_percentages(warehouse, company.keys, zone)
            record = Record(
                company.events,
                company.origin,
                arguments.origins,
                arguments.every,
                crm=crm,
                progress=bar(arguments, "calibrate"),
            )
            bins, quality, notes = judged(record, arguments.quiet or arguments.json)
            if record.judged == 0:
                notes.append(f"nothing is judged: {SHORT} days ago too little was known")
            notes += [f"{CRM}: not judged, {no_crm}"] if no_crm else []
            notes += [f"within {days} days: {learnt.reason}" for days, learnt in record.maps.items() if learnt.reason]
            stages = [stage_row(one) for one in stage_probabilities(company.events, company.origin)]
            found = Findings(stages, journey_columns(company, record.maps), bins, quality, notes)
            schema = arguments.schema or f"{warehouse.schema}_prediction"
            written: dict[str, Any] = {
                "prediction_stage_probability": found.stages,
                "prediction_journey_probability": found.journeys,
                "prediction_calibration": found.bins,
                "prediction_model_quality": found.quality,
            }
            if not arguments.dry_run:
                for table, rows in written.items():
                    store(warehouse, schema, table, company.as_of, VERSION, rows)
    except WarehouseError as error:
        print(f"leadlag calibrate: {error}", file=sys.stderr)
        return USAGE
    if arguments.json:
        open_rows = pd.DataFrame(found.journeys).to_dict("records")
        print(json.dumps({**written, "prediction_journey_probability": open_rows, "notes": notes}, default=str))
        return OK
    print("\n".join(_summary(found, company)))
    if not arguments.dry_run:
        print(f"  rows in {', '.join(f'{schema}.{table}' for table in written)}")
    return OK
