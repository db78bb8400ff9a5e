"""Fit lead scores and judge them: the probability that a journey converts, from what was known at its MQL.

Logistic regression is the benchmark, gradient boosting stands beside it. Each of the last quarters is judged by a model that was fitted and
calibrated on earlier ones only; journeys whose window is not over get the probability of the last model. What exists only after the MQL is
not read, and score_feature lists it with the reason. Rows go to prediction_lead_score, prediction_score_feature and
prediction_model_quality in schema SCHEMA_prediction (--schema): a run replaces the rows of an earlier run of the same as_of. The marts
score_validation, score_decile and score_threshold judge them beside the rule score.

Exit codes: 0 written, or too little history yet (the message says what is missing); 1 failed, the message says why; 2 the call was
wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable

import pandas as pd
from tqdm import tqdm

from leadlag.audit.command import profile_name
from leadlag.cli import OK, USAGE
from leadlag.forecast.command import add_common_arguments, business_timezone
from leadlag.forecast.store import store
from leadlag.score.facts import Facts, read_facts
from leadlag.score.history import Scored, score
from leadlag.warehouse import WarehouseError, connect, find_target

VERSION = "lead-score 1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag score`."""
    parser.add_argument(
        "--definition",
        metavar="NAME",
        help="conversion to predict, from MQL (default: that of seed lead_score_threshold)",
    )
    parser.add_argument("--quarters", type=int, default=6, metavar="N", help="quarters judged at most (default 6)")
    add_common_arguments(parser)


def _summary(found: Scored, facts: Facts) -> Iterable[str]:
    mature = facts.journeys["is_mature"]
    yield (
        f"scores for {facts.definition}, as of {facts.as_of:%Y-%m-%d}: {mature.sum():,} journeys with an outcome, "
        f"{facts.journeys['converted'][mature].mean():.0%} converted; {facts.journeys['is_open'].sum():,} open ones scored"
    )
    for name, reason in found.reasons.items():
        yield f"  {name}: {reason}"
    for one in found.quality:
        if one["metric"] == "auc" and one["value"] is not None:
            known = one["value_low"] is not None
            ends = f" ({one['value_low']:.3f} to {one['value_high']:.3f})" if known else ""
            verdict = "better than chance" if known and one["value_low"] > 0.5 else "no better than chance"
            name = str(one["model"]).removeprefix("lead_score_")
            yield f"  {name:<10} AUC {one['value']:.3f}{ends} of {one['case_count']:,} later journeys: {verdict}"
    for quarter, reason in found.skipped.items():
        yield f"  quarter from {quarter:%Y-%m-%d} not judged: {reason}"


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag score`; returns the exit code."""
    if arguments.quarters < 1:
        print(f"leadlag score: --quarters {arguments.quarters} is less than 1", file=sys.stderr)
        return USAGE

    def progress(quarters: list[pd.Timestamp]) -> Iterable[pd.Timestamp]:
        return (one for one in tqdm(quarters, desc="score", unit="quarter", disable=arguments.quiet or arguments.json))

    try:
        target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
        with connect(target) as warehouse:
            try:
                facts = read_facts(warehouse, arguments.definition)
                found = score(facts, business_timezone(arguments), arguments.quarters, progress)
            except ValueError as error:
                print(f"leadlag score: nothing is scored yet: {error}")
                return OK
            schema = arguments.schema or f"{warehouse.schema}_prediction"
            tables = {
                "prediction_lead_score": found.predictions,
                "prediction_score_feature": found.features,
                "prediction_model_quality": found.quality,
            }
            if not arguments.dry_run:
                for table, rows in tables.items():
                    store(warehouse, schema, table, facts.as_of, VERSION, rows)
    except WarehouseError as error:
        print(f"leadlag score: {error}", file=sys.stderr)
        return USAGE
    if arguments.json:
        print(json.dumps(tables, default=str))
        return OK
    print("\n".join(_summary(found, facts)))
    if not arguments.dry_run:
        print(f"  {len(found.predictions)} rows in {schema}.prediction_lead_score")
    return OK
