"""Maps from what a model says to what came: learnt from cases whose outcome is known, to be used on later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from leadlag.forecast.journeys import Bools, Floats, Ints

# Probabilities are kept so far from 0 and 1: log loss of a certain and wrong one is infinite.
CLIP = 1e-6
# Journeys whose outcome is known, without which no map is learnt; and of the rarer outcome.
LEAST_OUTCOMES, LEAST_RARER = 50, 10
# From so many on the beta map, which can bend; below, its third parameter would fit noise.
BETA_FROM = 5_000


def clip(probability: Floats) -> Floats:
    """Probabilities between CLIP and 1 - CLIP."""
    return np.asarray(np.clip(probability, CLIP, 1 - CLIP))


def logit(probability: Floats) -> Floats:
    """Log odds of clipped probabilities."""
    inside = clip(probability)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def expit(value: Floats) -> Floats:
    """Probability of log odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-value)))


def logistic(features: Floats, target: Floats, offset: Floats | float = 0.0) -> Floats:
    """Coefficients of a logistic regression without penalty, by Newton's method.

    Args:
        features: (case, feature). target: 0 to 1 by case. offset: added to the log odds.
    """
    weights = np.zeros(features.shape[1])
    for _ in range(50):
        said = expit(np.clip(features @ weights + offset, -35, 35))
        information = (features * (said * (1 - said))[:, None]).T @ features
        step = np.linalg.lstsq(information, features.T @ (target - said), rcond=None)[0]
        weights = weights + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
        if np.abs(step).max() < 1e-10:
            break
    return weights


@dataclass(frozen=True)
class Map:
    """log odds = a ln p - b ln(1 - p) + c. Platt's map on log odds has a = b; the beta map (Kull et al. 2017) has not.

    Attributes:
        kind: platt, beta or none. reason: why there is none.
    """

    kind: str
    a: float
    b: float
    c: float
    reason: str | None = None

    def __call__(self, probability: Floats) -> Floats:
        """Calibrated probabilities; those given when there is no map."""
        if self.kind == "none":
            return probability
        inside = clip(probability)
        return expit(self.a * np.log(inside) - self.b * np.log1p(-inside) + self.c)


def no_map(reason: str) -> Map:
    """A map that leaves probabilities as they are."""
    return Map("none", 1.0, 1.0, 0.0, reason)


def platt(probability: Floats, outcome: Bools) -> Map:
    """Slope and intercept on log odds, towards targets a little inside 0 and 1, so that both stay finite (Platt 1999, 2.2)."""
    came = np.count_nonzero(outcome)
    target = np.where(outcome, (came + 1) / (came + 2), 1 / (len(outcome) - came + 2))
    x = logit(probability)
    slope, intercept = logistic(np.column_stack([x, np.ones_like(x)]), target)
    if slope < 0:
        # A map never turns the order round: what is left is the rate of all.
        slope, intercept = 0.0, logit(np.array([target.mean()]))[0]
    return Map("platt", float(slope), float(slope), float(intercept))


def beta(probability: Floats, outcome: Bools) -> Map:
    """Kull, Silva Filho and Flach 2017: a and b not below 0, so that the map never falls."""
    inside = clip(probability)
    sides = np.column_stack([np.log(inside), -np.log1p(-inside), np.ones_like(inside)])
    target, kept = outcome.astype(np.float64), [0, 1, 2]
    while True:
        found = np.zeros(3)
        found[kept] = logistic(sides[:, kept], target)
        if found[0] >= 0 and found[1] >= 0:
            break
        # Without what is below 0 the rest is fitted anew.
        kept.remove(int(found[:2].argmin()))
    return Map("beta", float(found[0]), float(found[1]), float(found[2]))


def learn(probability: Floats, outcome: Bools, journey: Ints) -> Map:
    """The map for so many cases.

    Args:
        probability: what was said of each case. outcome: whether it came. journey: whose case it is; one journey may have several.
    """
    journeys = len(np.unique(journey))
    if journeys < LEAST_OUTCOMES:
        return no_map(f"no calibration map: outcomes of {journeys} journeys are known, {LEAST_OUTCOMES} are needed")
    rarer = min(len(np.unique(journey[outcome])), len(np.unique(journey[~outcome])))
    if rarer < LEAST_RARER:
        which = "won" if np.count_nonzero(outcome) * 2 < len(outcome) else "not won"
        return no_map(f"no calibration map: {rarer} journeys were {which}, {LEAST_RARER} are needed")
    return (platt if journeys < BETA_FROM else beta)(probability, outcome)


def mapped(won: Mapping[int, Floats], maps: Mapping[int, Map]) -> dict[int, Floats]:
    """Probabilities after their maps, by the days within which something is to come; never more probable within fewer days."""
    found: dict[int, Floats] = {}
    least = np.zeros(1)
    for days in sorted(won):
        least = found[days] = np.maximum(maps[days](won[days]), least)
    return found
