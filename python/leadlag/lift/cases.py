"""Journeys as cases of a landmark analysis: who had met what by the landmark, and what came after it.

Everybody is looked at on the same day of the journey, so that nobody has to stay in it to be counted as met (immortal time; Anderson, Cain
and Gelber, Journal of Clinical Oncology 1, 1983, doi 10.1200/JCO.1983.1.11.710). Journeys that had reached the milestone or had ended by
then are no cases, nor are those whose window is not over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from leadlag.lift.estimate import Bools, Effect, Floats, Ints, effect, holm, incremental_auc

STAGES = ("inquiry", "mql", "sal", "sql", "opportunity", "won")
ATTRIBUTES = ("lead_source", "region", "product_line", "journey_type", "entry_stage")
# Values of an attribute that fewer cases have are one value together.
_RARE = 20


@dataclass(frozen=True)
class Rule:
    """A row of seed lift_rule."""

    lift_rule: str
    version: int
    treatment: str
    landmark_days: int
    milestone: str
    window_days: int
    minimum_cases: int
    minimum_conversions: int
    propensity_bound: float
    minimum_overlap: float
    maximum_imbalance: float


@dataclass(frozen=True)
class Cases:
    """The cases of a rule, one a row of each array.

    Attributes:
        met, met_before: (n, k), whether a touch of each of `names` came after entry and up to the landmark, and up to entry.
        background: (n, p), attributes, size, quarter and number of touches before.
    """

    rule: Rule
    names: tuple[str, ...]
    met: Bools
    met_before: Bools
    background: Floats
    outcome: Bools
    person: Ints
    entered: pd.Series


@dataclass(frozen=True)
class Lift:
    """What meeting one channel changes, or the reason why nobody can say.

    auc_gain: what knowing who met it adds to the AUC of the outcome, out of time, and its standard error.
    """

    name: str
    case_count: int
    treated_count: int
    conversion_count: int
    treated_conversion_count: int
    effect: Effect | None = None
    auc_gain: tuple[float, float] | None = None
    p_value_holm: float | None = None
    reason: str | None = None

    @property
    def naive_difference(self) -> float | None:
        """Conversion rate of those who met it less that of the others."""
        others = self.case_count - self.treated_count
        if not self.treated_count or not others:
            return None
        return (
            self.treated_conversion_count / self.treated_count
            - (self.conversion_count - self.treated_conversion_count) / others
        )


def _one_hot(values: pd.Series) -> Floats:
    """(n, levels - 1): columns of the values, rare ones together, the most frequent one left out."""
    texts = values.astype("string").fillna("(not recorded)")
    texts = texts.where(texts.map(texts.value_counts()) >= _RARE, "(rare)")
    counts = texts.value_counts()
    levels = sorted(counts.index, key=lambda level: (-counts[level], level))
    return np.column_stack([np.zeros((len(texts), 0)), *((texts == level).to_numpy(float) for level in levels[1:])])


def cases_of(journeys: pd.DataFrame, touches: pd.DataFrame, rule: Rule, as_of: datetime) -> Cases:
    """The cases of a rule.

    Args:
        journeys: a row a journey: journey_key, person_key, entered_at, ended_at, STAGES with _at, ATTRIBUTES, employee_count; UTC.
        touches: a row a journey and `name` (value of the rule's treatment): before and within, its touches up to entry and from then up to
            the landmark.
        as_of: clock of the marts.
    """
    entered = pd.to_datetime(journeys["entered_at"])
    landmark = entered + timedelta(days=rule.landmark_days)
    until = landmark + timedelta(days=rule.window_days)
    # A milestone is never filled in: who skipped it has reached it with the next one.
    later = STAGES[STAGES.index(rule.milestone) :]
    reached = pd.DataFrame({stage: pd.to_datetime(journeys[f"{stage}_at"]) for stage in later}).min(axis=1)
    ended = pd.to_datetime(journeys["ended_at"])
    is_case = ~(reached <= landmark) & ~(ended <= landmark) & (until <= as_of)
    chosen = journeys[is_case].reset_index(drop=True)
    names = tuple(sorted(touches["name"].dropna().unique()))
    counts = {
        column: touches.pivot_table(index="journey_key", columns="name", values=column, aggfunc="sum")
        .reindex(index=chosen["journey_key"], columns=list(names))
        .fillna(0)
        .to_numpy(dtype=np.float64)
        for column in ("before", "within")
    }
    size = pd.to_numeric(chosen["employee_count"]).astype(float)
    quarter = pd.to_datetime(chosen["entered_at"]).dt.to_period("Q")
    background = np.column_stack(
        [
            np.log1p(counts["before"].sum(axis=1)),
            np.log1p(size.fillna(0)),
            size.isna().to_numpy(float),
            _one_hot(quarter),
            *(_one_hot(chosen[name]) for name in ATTRIBUTES),
        ]
    )
    return Cases(
        rule=rule,
        names=names,
        met=counts["within"] > 0,
        met_before=counts["before"] > 0,
        background=background,
        outcome=(reached <= until)[is_case].to_numpy(bool),
        person=chosen["person_key"].to_numpy(np.int64),
        entered=pd.to_datetime(chosen["entered_at"]),
    )


def lift_of(cases: Cases, number: int) -> Lift:
    """What meeting channel `number` of cases.names by the landmark changes, adjusted for the background, the channels met before entry,
    and the other channels met in the same days."""
    rule, treated, outcome = cases.rule, cases.met[:, number], cases.outcome
    counted = Lift(
        name=cases.names[number],
        case_count=len(outcome),
        treated_count=int(treated.sum()),
        conversion_count=int(outcome.sum()),
        treated_conversion_count=int((outcome & treated).sum()),
    )
    arms = (treated, ~treated)
    if min(int(arm.sum()) for arm in arms) < rule.minimum_cases:
        return replace(counted, reason="too_few_cases")
    if min(int((outcome & arm).sum()) for arm in arms) < rule.minimum_conversions:
        return replace(counted, reason="too_few_conversions")
    others = np.delete(cases.met, number, axis=1)
    covariates = np.column_stack([cases.background, cases.met_before, others])
    found = effect(covariates, treated, outcome, cases.person, rule.propensity_bound)
    apart = found.overlap < rule.minimum_overlap or found.arm < rule.minimum_cases
    uneven = "not_balanced" if found.imbalance > rule.maximum_imbalance else None
    entered = cases.entered.to_numpy(dtype="datetime64[us]").astype(np.float64)
    gain = incremental_auc(covariates, treated, outcome, cases.person, entered)
    return replace(counted, effect=found, auc_gain=gain, reason="too_little_overlap" if apart else uneven)


def corrected(lifts: Sequence[Lift]) -> list[Lift]:
    """The same with p_value_holm, over all lifts of a rule that can be told."""
    adjusted = iter(holm([one.effect.p_value for one in lifts if one.effect is not None and one.reason is None]))
    return [replace(one, p_value_holm=next(adjusted)) if one.reason is None else one for one in lifts]
