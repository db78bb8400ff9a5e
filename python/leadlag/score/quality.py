"""How good a score is, and whether what it is told drifts. Outcomes are booleans, probabilities and scores floats, one a case."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.special import expit, logit

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Z = 1.959963984540054


@dataclass(frozen=True)
class Measured:
    """A value with its 95 % interval; None where it cannot be said."""

    value: float | None
    low: float | None = None
    high: float | None = None


def auc(outcome: Bools, score: Floats) -> Measured:
    """Area under the ROC curve: chance that a case with the outcome has a higher score than one without; ties count half.

    The interval is that of DeLong et al. (1988, doi 10.2307/2531595), on the logit.
    """
    value, variance = _delong(outcome, score)
    return _bounded(value, variance)


def auc_within(outcome: Bools, score: Floats, group: npt.ArrayLike) -> Measured:
    """Mean of the AUC of groups, such as quarters with a model each, weighted by outcomes * others / cases."""
    groups = np.asarray(group)
    found = []
    for one in np.unique(groups):
        here = groups == one
        value, variance = _delong(outcome[here], score[here])
        if value is not None and variance is not None:
            ones = np.count_nonzero(outcome[here])
            found.append((ones * (here.sum() - ones) / here.sum(), value, variance))
    if not found:
        return Measured(None)
    weight, values, variances = np.array(found).T
    weight = weight / weight.sum()
    return _bounded(float(weight @ values), float(weight**2 @ variances))


def auc_gain(outcome: Bools, score: Floats, reference: Floats) -> tuple[float, float] | None:
    """AUC of a score less that of another on the same cases, and its standard error (DeLong); None without two of each outcome."""
    if min(np.count_nonzero(outcome), np.count_nonzero(~outcome)) < 2:
        return None
    above, below = (
        one - other for one, other in zip(_placements(outcome, score), _placements(outcome, reference), strict=True)
    )
    return float(above.mean()), math.sqrt(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))


def _placements(outcome: Bools, score: Floats) -> tuple[Floats, Floats]:
    """For each case with the outcome, the share of those without that it lies above; for each without, of those with it that lie above."""
    ones, zeros = np.asarray(score)[outcome], np.asarray(score)[~outcome]
    every = stats.rankdata(np.r_[ones, zeros])
    return (
        (every[: len(ones)] - stats.rankdata(ones)) / len(zeros),
        1 - (every[len(ones) :] - stats.rankdata(zeros)) / len(ones),
    )


def _delong(outcome: Bools, score: Floats) -> tuple[float | None, float | None]:
    """AUC and its variance; None without both outcomes, and without two of each."""
    if outcome.all() or not outcome.any():
        return None, None
    above, below = _placements(outcome, score)
    if min(len(above), len(below)) < 2:
        return float(above.mean()), None
    return float(above.mean()), float(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))


def _bounded(value: float | None, variance: float | None) -> Measured:
    if value is None or not variance or not 0 < value < 1:
        return Measured(value)
    reach = Z * np.sqrt(variance) / (value * (1 - value))
    return Measured(value, float(expit(logit(value) - reach)), float(expit(logit(value) + reach)))


def brier(outcome: Bools, probability: Floats) -> Measured:
    """Mean squared error of the probabilities, with the normal interval of a mean."""
    return _mean((probability - outcome) ** 2)


def log_loss(outcome: Bools, probability: Floats) -> Measured:
    """Mean of minus the log of the probability of what happened, with the normal interval of a mean."""
    return _mean(-np.log(np.where(outcome, probability, 1 - probability)))


def _mean(values: Floats) -> Measured:
    if len(values) < 2:
        return Measured(float(values.mean()) if len(values) else None)
    reach = Z * values.std(ddof=1) / np.sqrt(len(values))
    return Measured(float(values.mean()), float(values.mean() - reach), float(values.mean() + reach))


def calibration_slope(outcome: Bools, probability: Floats) -> Measured:
    """Slope of the outcomes on the logit of the probabilities (Cox 1958): 1 when calibrated, below 1 when too bold. Wald interval.

    None where all probabilities are equal, or an outcome is missing.
    """
    x = np.column_stack([np.ones(len(probability)), logit(probability)])
    if outcome.all() or not outcome.any() or np.ptp(probability) == 0:
        return Measured(None)
    weight = np.zeros(2)
    information = np.eye(2)
    for _ in range(50):
        mean = expit(x @ weight)
        information = x.T @ (x * (mean * (1 - mean))[:, None])
        step = np.linalg.solve(information, x.T @ (outcome - mean))
        weight = weight + step
        if np.abs(step).max() < 1e-10:
            break
    reach = Z * np.sqrt(np.linalg.inv(information)[1, 1])
    return Measured(float(weight[1]), float(weight[1] - reach), float(weight[1] + reach))


def cells(values: pd.Series) -> npt.NDArray[np.int64]:
    """Number of the cell of each value: counts are cut at the tenths of all, categories by value, not known among them."""
    if values.dtype == float:
        edges = np.unique(np.quantile(values, np.linspace(0.1, 0.9, 9)))
        return np.asarray(np.searchsorted(edges, values, side="left"), dtype=np.int64)
    codes, _ = pd.factorize(values.astype(object).fillna("(not known)"))
    return np.asarray(codes, dtype=np.int64)


def stability(earlier: npt.ArrayLike, now: npt.ArrayLike) -> tuple[float, float] | None:
    """Population stability index of a feature between two sets of journeys, and what it stays below in 95 of 100 when nothing changes.

    Half a journey is added to each cell. Without change the index is about (1/n + 1/m) times a chi-squared variable with cells - 1
    degrees (Yurdakul 2018).

    Args:
        earlier, now: journeys in each cell.

    Returns:
        Index and noise; None where either set is empty or all are in one cell.
    """
    first, second = (np.asarray(part, dtype=np.float64) for part in (earlier, now))
    there = first + second > 0
    if first.sum() == 0 or second.sum() == 0 or there.sum() < 2:
        return None
    p, q = ((part[there] + 0.5) / (part[there] + 0.5).sum() for part in (first, second))
    noise = stats.chi2.ppf(0.95, there.sum() - 1) * (1 / first.sum() + 1 / second.sum())
    return float(np.sum((p - q) * np.log(p / q))), float(noise)
