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
from threadpoolctl import threadpool_limits

from leadlag.score.quality import auc_gain

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

FOLDS = 5
_C = 0.1


@dataclass(frozen=True)
class Effect:
    """An average effect as a difference of probabilities, over the cases that have somebody to be compared with.

    Attributes:
        lift, standard_error: of the estimate, persons as independent units; not a number with an empty arm.
        overlap: share of cases whose chance of treatment lies within the bounds. The others are left out (Crump et al., Biometrika 96,
            2009, doi 10.1093/biomet/asn055): a case that is never treated says nothing of treatment.
        imbalance: largest standardised difference of a covariate's mean between the weighted arms; above .1 much rests on the model of
            the outcome.
        arm: cases left in the smaller arm.
    """

    lift: float
    standard_error: float
    overlap: float
    imbalance: float
    arm: int

    @property
    def p_value(self) -> float:
        """Two-sided, of no effect."""
        return 2 * NormalDist().cdf(-abs(self.lift) / self.standard_error) if self.standard_error > 0 else 1.0

    def interval(self, level: float) -> tuple[float, float]:
        """Normal interval that holds the effect with this probability."""
        reach = NormalDist().inv_cdf(0.5 + level / 2) * self.standard_error
        return self.lift - reach, self.lift + reach


def _probability(known: Floats, happened: Bools, asked: Floats) -> Floats:
    """Logistic regression (ridge penalty 1 / _C on standardised covariates) learnt on known (n, p), said of asked (m, p)."""
    if happened.all() or not happened.any() or not known.shape[1]:
        return np.full(len(asked), float(happened.mean()))
    model = LogisticRegression(C=_C, solver="newton-cholesky").fit(known, happened)
    return np.asarray(model.predict_proba(asked)[:, 1], dtype=np.float64)


def effect(covariates: Floats, treated: Bools, outcome: Bools, person: Ints, bound: float) -> Effect:
    """Average effect of treatment on the probability of the outcome, among cases with a chance of treatment from bound to 1 - bound.

    Args:
        covariates: (n, p), known before the treatment; standardised here.
        treated, outcome: (n,).
        person: (n,), whose case it is: cases of a person are in one fold and count as one in the standard error.
        bound: 0 to .5.

    Raises:
        ValueError: arrays of different lengths, or an arm without cases.
    """
    if not len(covariates) == len(treated) == len(outcome) == len(person):
        raise ValueError("covariates, treated, outcome and person are not of one length")
    if treated.all() or not treated.any():
        raise ValueError("all cases are in one arm")
    spread = covariates.std(axis=0)
    x = (covariates[:, spread > 0] - covariates[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    chance, with_it, without = (np.empty(len(x)) for _ in range(3))
    people = np.unique(person, return_inverse=True)[1]
    # Several threads cost more than they bring on matrices this small.
    with threadpool_limits(1):
        for fold in range(FOLDS):
            judged, learnt = people % FOLDS == fold, people % FOLDS != fold
            chance[judged] = _probability(x[learnt], treated[learnt], x[judged])
            for arm, of_arm in ((with_it, learnt & treated), (without, learnt & ~treated)):
                chosen = of_arm if of_arm.any() else learnt
                arm[judged] = _probability(x[chosen], outcome[chosen], x[judged])
    kept = (chance >= bound) & (chance <= 1 - bound)
    overlap = float(kept.mean())
    x, treated, people, chance = x[kept], treated[kept], people[kept], chance[kept]
    arm_size = min(int(treated.sum()), int((~treated).sum()))
    if not arm_size:
        return Effect(float("nan"), float("nan"), overlap, float("nan"), arm_size)
    weight = np.where(treated, 1 / chance, 1 / (1 - chance))
    error: Floats = outcome[kept] - np.where(treated, with_it[kept], without[kept])
    score = with_it[kept] - without[kept] + np.where(treated, weight, -weight) * error
    of_person = np.bincount(people, weights=score - score.mean())
    arms = [np.average(x[arm], axis=0, weights=weight[arm]) for arm in (treated, ~treated)]
    return Effect(
        float(score.mean()),
        float(np.sqrt((of_person**2).sum()) / len(score)),
        overlap,
        float(np.abs(arms[0] - arms[1]).max(initial=0.0)),
        arm_size,
    )


def incremental_auc(
    covariates: Floats, treated: Bools, outcome: Bools, person: Ints, time: Floats
) -> tuple[float, float] | None:
    """What knowing the treatment adds to the AUC of the outcome, and its standard error: learnt from the first 70 % of the cases by
    time, judged on the others, less those of persons learnt from.

    Args:
        covariates, treated, outcome, person: as in `effect`. time: (n,), in any unit.

    Returns:
        None with fewer than ten of either outcome to judge by.
    """
    order = np.argsort(time, kind="stable")
    learnt = np.zeros(len(time), dtype=bool)
    learnt[order[: len(time) * 7 // 10]] = True
    judged = ~learnt & ~np.isin(person, person[learnt])
    if min(np.count_nonzero(outcome[judged]), np.count_nonzero(~outcome[judged])) < 10:
        return None
    spread = covariates[learnt].std(axis=0)
    x = (covariates - covariates[learnt].mean(axis=0))[:, spread > 0] / spread[spread > 0]
    with threadpool_limits(1):
        known, more = (
            _probability(features[learnt], outcome[learnt], features[judged])
            for features in (x, np.column_stack([x, treated - treated[learnt].mean()]))
        )
    return auc_gain(outcome[judged], more, known)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for having asked several questions (Holm, Scandinavian Journal of Statistics 6, 1979), in the same order."""
    adjusted = [1.0] * len(p_values)
    largest = 0.0
    for rank, number in enumerate(sorted(range(len(p_values)), key=lambda number: p_values[number])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[number]))
        adjusted[number] = largest
    return adjusted
