"""What meeting a channel early in a journey changes: the share that reaches a milestone, among those who met it against those who did not,
adjusted for what was known by then.

Seed lift_rule says which channels, on which day of the journey one looks (the landmark), which milestone counts and until when. Journeys
are compared that were still open at the landmark. Adjusted for lead source, region, product line, company size, quarter, new or returning,
stage, touches and channels at entry, and the other channels met by the landmark. Cross-fitted AIPW; p-values by Holm over the channels
of a rule. Whether it helps to tell who will convert is judged out of time: the AUC with it less that without. A channel that cannot be
judged gets a reason instead: too_few_cases, too_few_conversions, too_little_overlap, not_balanced.

What nobody recorded is not adjusted for: an effect found here is a reason for an experiment, one not found a reason to doubt the credit.
Rows go to prediction_channel_lift in schema SCHEMA_prediction (--schema), mart channel_lift shows the newest; a run replaces the rows of
an earlier run of the same as_of.

Exit codes: 0 written; 1 failed, the message says why; 2 the call was wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import datetime
from statistics import NormalDist
from typing import Any, get_type_hints

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from leadlag.audit.command import profile_name
from leadlag.cli import OK, USAGE, CommandError
from leadlag.forecast.command import add_common_arguments
from leadlag.forecast.source import project_variable
from leadlag.forecast.store import store
from leadlag.lift.cases import ATTRIBUTES, STAGES, Cases, Lift, Rule, cases_of, corrected, lift_of
from leadlag.warehouse import Warehouse, WarehouseError, connect, find_target

VERSION = "aipw 1"
TREATMENTS = ("channel", "touchpoint_type")
_NEEDED = {
    "marts": ("fct_journey", "fct_touchpoint", "dim_account"),
    "policy": ("lift_rule",),
    "intermediate": ("int_input__clock",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `leadlag lift`."""
    add_common_arguments(parser)


def read_rules(warehouse: Warehouse) -> list[Rule]:
    """Active rows of seed lift_rule.

    Raises:
        CommandError: the seed or a mart is missing, or a rule has a treatment or milestone that is none.
    """
    for layer, names in _NEEDED.items():
        there = warehouse.tables(f"{warehouse.schema}_{layer}")
        for name in names:
            if name not in there:
                raise CommandError(f"there is no {warehouse.schema}_{layer}.{name}; run `dbt build` first")
    kinds = get_type_hints(Rule)
    found = warehouse.query(
        f"select {', '.join(kinds)} from {warehouse.schema}_policy.lift_rule where status = 'active' order by 1, 2"
    )
    rules = []
    for row in found.to_dict("records"):
        rule = Rule(**{name: kind(row[name]) for name, kind in kinds.items()})
        if rule.treatment not in TREATMENTS or rule.milestone not in STAGES:
            raise CommandError(
                f"lift_rule {rule.lift_rule}: treatment {rule.treatment!r} or milestone {rule.milestone!r} is unknown; "
                f"there are {', '.join(TREATMENTS)}, and {', '.join(STAGES)}"
            )
        rules.append(rule)
    return rules


def read_cases(warehouse: Warehouse, rule: Rule, as_of: datetime) -> Cases:
    """Journeys and touches of a rule, from the marts. A touch in the second of the entry is not after it (DECISIONS 63)."""
    marts = f"{warehouse.schema}_marts"
    milestones = ", ".join(f"journey.{stage}_at" for stage in STAGES)
    attributes = ", ".join(f"journey.{name}" for name in ATTRIBUTES)
    journeys = warehouse.query(
        f"""
        select journey.journey_key, journey.person_key, journey.entered_at, journey.ended_at, {milestones}, {attributes},
            account.employee_count
        from {marts}.fct_journey as journey
        left join {marts}.dim_account as account on journey.account_key = account.account_key
        order by journey.journey_key
        """
    )
    touches = warehouse.query(
        f"""
        select touch.journey_key, touch.{rule.treatment} as name,
            sum(case when date_trunc('second', touch.occurred_at) <= journey.entered_at then 1 else 0 end) as before,
            sum(case when date_trunc('second', touch.occurred_at) > journey.entered_at then 1 else 0 end) as within
        from {marts}.fct_touchpoint as touch
        inner join {marts}.fct_journey as journey on touch.journey_key = journey.journey_key
        where touch.traffic = 'person' and touch.occurred_at <= journey.entered_at + interval '{rule.landmark_days}' day
        group by touch.journey_key, touch.{rule.treatment}
        """
    )
    return cases_of(journeys, touches, rule, as_of)


def _limits(gain: tuple[float, float] | None, level: float) -> tuple[float | None, float | None, float | None]:
    """A gain with its normal interval."""
    if gain is None:
        return None, None, None
    reach = NormalDist().inv_cdf(0.5 + level / 2) * gain[1]
    return gain[0], gain[0] - reach, gain[0] + reach


def row_of(rule: Rule, cases: Cases, found: Lift, level: float) -> dict[str, Any]:
    """A lift as its table has it."""
    known = found.effect if found.reason is None else None
    judged = found.effect if found.reason in (None, "not_balanced") else None
    low, high = known.interval(level) if known is not None else (None, None)
    gain, gain_low, gain_high = _limits(found.auc_gain, level) if known is not None else (None, None, None)
    naive = found.naive_difference
    return {
        "lift_rule": rule.lift_rule,
        "lift_rule_version": rule.version,
        "treatment": rule.treatment,
        "treatment_value": found.name,
        "milestone": rule.milestone,
        "landmark_days": rule.landmark_days,
        "window_days": rule.window_days,
        "first_entered_on": cases.entered.min().date() if len(cases.entered) else None,
        "last_entered_on": cases.entered.max().date() if len(cases.entered) else None,
        "case_count": found.case_count,
        "treated_count": found.treated_count,
        "conversion_count": found.conversion_count,
        "treated_conversion_count": found.treated_conversion_count,
        "naive_difference": naive,
        "lift": known.lift if known is not None else None,
        "lift_low": low,
        "lift_high": high,
        "p_value": known.p_value if known is not None else None,
        "p_value_holm": found.p_value_holm,
        "is_within_noise": found.p_value_holm >= 1 - level if found.p_value_holm is not None else None,
        "auc_gain": gain,
        "auc_gain_low": gain_low,
        "auc_gain_high": gain_high,
        "is_vanity": None if low is None or high is None or gain_low is None else low <= 0 <= high and gain_low <= 0,
        "overlap": found.effect.overlap if found.effect is not None else None,
        "imbalance": judged.imbalance if judged is not None else None,
        "reason": found.reason,
    }


def _summary(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["reason"] is not None:
            said = f"not estimated: {row['reason']}"
        else:
            verdict = "within noise" if row["is_within_noise"] else "beyond noise"
            verdict += ", tells nothing of who converts" if row["is_vanity"] else ""
            said = f"{row['lift']:+.1%} ({row['lift_low']:+.1%} to {row['lift_high']:+.1%}), {verdict}"
        naive = f"{row['naive_difference']:+.1%}" if row["naive_difference"] is not None else "-"
        yield f"  {row['lift_rule']:<20}{row['treatment_value']:<18}naive {naive:>7}   adjusted {said}"


def run(arguments: argparse.Namespace) -> int:
    """Carry out `leadlag lift`; returns the exit code."""
    given = yaml.safe_load(arguments.vars) or {}
    level = float(project_variable(arguments.project_dir, "confidence_level", given) or 0.95)
    rows: list[dict[str, Any]] = []
    try:
        target = find_target(arguments.target, arguments.profiles_dir, profile_name(arguments))
        with connect(target) as warehouse:
            rules = read_rules(warehouse)
            clock = warehouse.query(f"select as_of from {warehouse.schema}_intermediate.int_input__clock")["as_of"]
            if not len(clock) or pd.isna(clock.iloc[0]):
                raise CommandError("the marts have no clock: they were built without data")
            as_of = pd.Timestamp(clock.iloc[0]).to_pydatetime()
            for rule in rules:
                cases = read_cases(warehouse, rule, as_of)
                hidden = arguments.quiet or arguments.json
                numbers = tqdm(range(len(cases.names)), desc=rule.lift_rule, unit="channel", disable=hidden)
                lifts = corrected([lift_of(cases, number) for number in numbers])
                rows += [row_of(rule, cases, one, level) for one in lifts]
            schema = arguments.schema or f"{warehouse.schema}_prediction"
            if not arguments.dry_run:
                store(warehouse, schema, "prediction_channel_lift", as_of, VERSION, rows)
    except WarehouseError as error:
        print(f"leadlag lift: {error}", file=sys.stderr)
        return USAGE
    if arguments.json:
        print(json.dumps(rows, default=str))
        return OK
    print(f"lift as of {np.datetime64(as_of, 'D')}, share of journeys that reach the milestone:")
    print("\n".join(_summary(rows)) or "  no journey is old enough, or lift_rule has no active row")
    if not arguments.dry_run:
        print(f"  {len(rows)} rows in {schema}.prediction_channel_lift")
    return OK
