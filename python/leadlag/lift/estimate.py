"""The effect of a treatment that nobody drew lots for, adjusted for what was known before it: cross-fitted augmented inverse
probability weighting (AIPW).

Robins, Rotnitzky and Zhao, "Estimation of regression coefficients when some regressors are not always observed", JASA 89 (1994),
doi 10.1080/01621459.1994.10476818; cross-fitting as in Chernozhukov et al., "Double/debiased machine learning", Econometrics Journal 21
(2018), doi 10.1111/ectj.12097. Right when either of its two models is, the chance of treatment or that of the outcome; wrong, like every
adjustment, when something decides both that is not in the covariates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

FOLDS = 5


@dataclass(frozen=True)
class Effect:
    """An average effect over all cases, as a difference of probabilities.

    Attributes:
        lift, standard_error: of the estimate, persons as independent units.
        overlap: share of cases whose chance of treatment lies within the bounds; the others are weighted as if on them.
        imbalance: largest standardised difference of a covariate's mean between the weighted arms; above .1 adjustment has left something.
    """

    lift: float
    standard_error: float
    overlap: float
    imbalance: float

    @property
    def p_value(self) -> float:
        """Two-sided, of no effect."""
        return 2 * NormalDist().cdf(-abs(self.lift) / self.standard_error) if self.standard_error > 0 else 1.0

    def interval(self, level: float) -> tuple[float, float]:
        """Normal interval that holds the effect with this probability."""
        reach = NormalDist().inv_cdf(0.5 + level / 2) * self.standard_error
        return self.lift - reach, self.lift + reach


def _probability(known: Floats, happened: Bools, asked: Floats) -> Floats:
    """Logistic regression (ridge penalty 1 on standardised covariates) learnt on known (n, p), said of asked (m, p)."""
    if happened.all() or not happened.any() or not known.shape[1]:
        return np.full(len(asked), float(happened.mean()))
    model = LogisticRegression(solver="newton-cholesky").fit(known, happened)
    return np.asarray(model.predict_proba(asked)[:, 1], dtype=np.float64)


def effect(covariates: Floats, treated: Bools, outcome: Bools, person: Ints, bound: float) -> Effect:
    """Average effect of treatment on the probability of the outcome.

    Args:
        covariates: (n, p), known before the treatment; standardised here.
        treated, outcome: (n,), both with cases of either kind.
        person: (n,), whose case it is: cases of a person are in one fold and count as one in the standard error.
        bound: chances of treatment are taken to be at least this and at most 1 - bound.

    Raises:
        ValueError: arrays of different lengths, or an arm without cases.
    """
    if not len(covariates) == len(treated) == len(outcome) == len(person):
        raise ValueError("covariates, treated, outcome and person are not of one length")
    if treated.all() or not treated.any():
        raise ValueError("all cases are in one arm")
    spread = covariates.std(axis=0)
    x = (covariates[:, spread > 0] - covariates[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    y = outcome.astype(np.float64)
    chance, with_it, without = (np.empty(len(y)) for _ in range(3))
    folds = np.unique(person, return_inverse=True)[1] % FOLDS
    for fold in range(FOLDS):
        judged, learnt = folds == fold, folds != fold
        chance[judged] = _probability(x[learnt], treated[learnt], x[judged])
        for arm, of_arm in ((with_it, learnt & treated), (without, learnt & ~treated)):
            arm[judged] = _probability(x[of_arm], outcome[of_arm], x[judged]) if of_arm.any() else y[learnt].mean()
    within = (chance >= bound) & (chance <= 1 - bound)
    chance = np.clip(chance, bound, 1 - bound)
    weight = np.where(treated, 1 / chance, 1 / (1 - chance))
    sign = np.where(treated, 1.0, -1.0)
    score = with_it - without + sign * weight * (y - np.where(treated, with_it, without))
    lift = float(score.mean())
    of_person = np.bincount(np.unique(person, return_inverse=True)[1], weights=score - lift)
    arms = [np.average(x[arm], axis=0, weights=weight[arm]) for arm in (treated, ~treated)]
    return Effect(
        lift,
        float(np.sqrt((of_person**2).sum()) / len(y)),
        float(within.mean()),
        float(np.abs(arms[0] - arms[1]).max(initial=0.0)),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for having asked several questions (Holm, Scandinavian Journal of Statistics 6, 1979), in the same order."""
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, number in enumerate(sorted(range(len(p_values)), key=lambda number: p_values[number])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[number]))
        adjusted[number] = largest
    return adjusted
