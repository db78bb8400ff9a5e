"""Logistic regression as the benchmark and histogram gradient boosting, calibrated on cases later than those they learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# A category or count that fewer journeys of the training set have is none of its own.
LEAST_CASES = 20
# Of each outcome, to fit or to calibrate.
LEAST_OUTCOMES = 10
# From so many cases on a map may have any rising form (isotonic); with fewer it is a line on the logit (Platt 1999).
ISOTONIC_FROM = 5_000
# Probabilities nearer to 0 or 1 than this are not said.
LIMIT = 1e-4
UNKNOWN = "(not recorded)"
# Below so many cases threads wait for each other longer than they work.
THREADS_FROM = 50_000


@dataclass
class Design:
    """Columns of numbers from counts and categories, as a training set has them.

    Counts enter as log(1 + x), standardised; each category that LEAST_CASES journeys have is a column of 0 and 1, and so is not recorded.
    """

    counts: dict[str, tuple[float, float]] = field(default_factory=dict)
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, features: pd.DataFrame) -> Design:
        """From a training set, a row a journey: float columns are counts, others categories with None for not known."""
        design = cls()
        for name in features.columns:
            column = features[name]
            if column.dtype == float:
                values = np.log1p(column.to_numpy())
                # So many differ from the most common value.
                if len(values) - pd.Series(values).value_counts().iloc[0] >= LEAST_CASES:
                    design.counts[name] = (float(values.mean()), float(values.std()))
            else:
                common = column.fillna(UNKNOWN).value_counts()
                design.levels[name] = tuple(sorted(str(level) for level in common.index[common >= LEAST_CASES]))
        return design

    def matrix(self, features: pd.DataFrame) -> Floats:
        """(journey, column)."""
        columns = [np.zeros(len(features))]
        for name, (mean, deviation) in self.counts.items():
            columns.append((np.log1p(features[name].to_numpy(dtype=np.float64)) - mean) / (deviation or 1.0))
        for name, levels in self.levels.items():
            values = features[name].fillna(UNKNOWN).to_numpy()
            columns.extend((values == level).astype(np.float64) for level in levels)
        return np.column_stack(columns)


def _estimators() -> dict[str, Any]:
    return {
        "logistic": LogisticRegression(C=0.1, max_iter=2_000),
        "boosting": HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=300,
            max_leaf_nodes=8,
            min_samples_leaf=30,
            l2_regularization=1.0,
            early_stopping=True,
            validation_fraction=0.2,
            n_iter_no_change=15,
            random_state=0,
        ),
    }


SCORES = tuple(_estimators())


@dataclass(frozen=True)
class Calibration:
    """A map from a raw probability to one that is right as often as it says: a line on the logit, or a rising step function."""

    slope: float = 1.0
    intercept: float = 0.0
    steps: IsotonicRegression | None = None

    def __call__(self, raw: Floats) -> Floats:
        """Calibrated probabilities, within LIMIT of 0 and 1."""
        if self.steps is not None:
            return np.clip(np.asarray(self.steps.predict(raw), dtype=np.float64), LIMIT, 1 - LIMIT)
        line = expit(self.slope * logit(np.clip(raw, LIMIT, 1 - LIMIT)) + self.intercept)
        return np.clip(np.asarray(line, dtype=np.float64), LIMIT, 1 - LIMIT)


def calibrate(raw: Floats, outcome: Bools) -> tuple[Calibration, str | None]:
    """A map that a later set of cases suggests, and the fallback taken, in words.

    A map never turns a score round: where the later cases say so, the score knows nothing and all get the rate.
    """
    if min(np.count_nonzero(outcome), np.count_nonzero(~outcome)) < LEAST_OUTCOMES:
        return Calibration(), f"not calibrated: fewer than {LEAST_OUTCOMES} of an outcome to calibrate with"
    if len(outcome) >= ISOTONIC_FROM:
        return Calibration(steps=IsotonicRegression(out_of_bounds="clip").fit(raw, outcome)), None
    x = logit(np.clip(raw, LIMIT, 1 - LIMIT))
    if np.ptp(x) > 0:
        line = LogisticRegression(C=np.inf, max_iter=1_000).fit(x[:, None], outcome)
        if line.coef_[0, 0] > 0:
            return Calibration(float(line.coef_[0, 0]), float(line.intercept_[0])), None
    return (
        Calibration(0.0, float(logit(outcome.mean()))),
        "later cases do not bear the score out: everyone gets their rate",
    )


@dataclass(frozen=True)
class Fitted:
    """Both scores, fitted and calibrated. reasons: score -> fallback, in words, or None."""

    design: Design
    estimators: Mapping[str, Any]
    maps: Mapping[str, Calibration]
    reasons: Mapping[str, str | None]

    def predict(self, features: pd.DataFrame) -> dict[str, Floats]:
        """Score -> calibrated probability of each journey."""
        matrix = self.design.matrix(features)
        with threadpool_limits(1 if len(matrix) < THREADS_FROM else None):
            return {name: self.maps[name](one.predict_proba(matrix)[:, 1]) for name, one in self.estimators.items()}


def fit(features: pd.DataFrame, outcome: Bools, later: pd.DataFrame, later_outcome: Bools) -> Fitted:
    """Learn from one set of journeys and calibrate on another, which in time comes later.

    Args:
        features, later: as Facts.features. outcome, later_outcome: whether each converted.

    Raises:
        ValueError: the first set has fewer than LEAST_OUTCOMES of an outcome.
    """
    if min(np.count_nonzero(outcome), np.count_nonzero(~outcome)) < LEAST_OUTCOMES:
        raise ValueError(
            f"{np.count_nonzero(outcome)} journeys that converted and {np.count_nonzero(~outcome)} that did not to learn from; "
            f"{LEAST_OUTCOMES} of each are needed"
        )
    design = Design.of(features)
    matrix, later_matrix = design.matrix(features), design.matrix(later)
    with threadpool_limits(1 if len(matrix) < THREADS_FROM else None):
        estimators = {name: one.fit(matrix, outcome) for name, one in _estimators().items()}
        raw = {name: one.predict_proba(later_matrix)[:, 1] for name, one in estimators.items()}
        found = {name: calibrate(one, later_outcome) for name, one in raw.items()}
    return Fitted(
        design,
        estimators,
        {name: one for name, (one, _) in found.items()},
        {name: reason for name, (_, reason) in found.items()},
    )
