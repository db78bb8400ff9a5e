"""Rates of small groups drawn towards the rate of all, as far as the groups seem to be alike.

Hierarchical beta-binomial model: a group's rate has a beta distribution with mean m and weight k, its wins are binomial. With few
groups the data say little about k, and an interval that takes one k for certain is too short: of 100 that should hold the true rate in 95
cases 61 did. So m and k are averaged over what the data leave possible, on a grid (Gelman et al., Bayesian Data Analysis, 5.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, betaln

from leadlag.forecast.journeys import Floats

LEVELS = (0.8, 0.95)
# Prior of how far groups lie apart: half-normal, this its standard deviation on the scale of log odds, so that odds which differ threefold
# are no surprise. Half of it held too rarely where four groups differed as much, and gains little where they do not.
SPREAD = 1.0
_SPREADS = np.geomspace(0.01, 3.0, 41)
# Grid points that matter less than this beside the best are left out.
_NEGLIGIBLE = 1e-4


@dataclass(frozen=True)
class Shrunk:
    """Rates of groups, one element each.

    Attributes:
        rate: mean of the posterior. parent_share: how much of it is the rate of all, 0 to 1.
        low, high: (level of LEVELS, group), ends of equal-tailed intervals.
    """

    rate: Floats
    parent_share: Floats
    low: Floats
    high: Floats


def _ends(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Interval ends by the beta distribution of a mean and variance."""
    weight = mean * (1 - mean) / variance - 1
    tails = np.array([(1 - level) / 2 for level in LEVELS])[:, None]
    low, high = (betaincinv(mean * weight, (1 - mean) * weight, tail) for tail in (tails, 1 - tails))
    return low, high


def alone(won: Floats, size: Floats) -> Shrunk:
    """Rates without a parent: Jeffreys' prior, beta(1/2, 1/2).

    Args:
        won, size: wins and cases; need not be whole numbers.
    """
    rate = (won + 0.5) / (size + 1.0)
    return Shrunk(rate, np.zeros_like(rate), *_ends(rate, rate * (1 - rate) / (size + 2.0)))


def towards_all(won: Floats, size: Floats) -> Shrunk:
    """Rates drawn towards that of all groups together.

    Args:
        won, size: wins and cases by group; need not be whole numbers.
    """
    pooled = (won.sum() + 0.5) / (size.sum() + 1.0)
    # The mean of all: wide enough for groups that differ, fine enough for many cases.
    reach = 5 * (np.sqrt(1.0 / (size.sum() * pooled * (1 - pooled) + 1.0)) + 1.0 / np.sqrt(len(won) + 1.0))
    offset = reach * np.linspace(-1, 1, 121) ** 3
    mean = 1.0 / (1.0 + (1.0 / pooled - 1.0) * np.exp(-offset))
    mean, spread = (grid.ravel() for grid in np.meshgrid(mean, _SPREADS, indexing="ij"))
    # Variance of log odds of a beta distribution, to first order.
    weight = np.maximum(1.0 / (spread**2 * mean * (1 - mean)) - 1.0, 0.05)
    alpha, beta = mean * weight, (1 - mean) * weight
    density = -(spread**2) / (2 * SPREAD**2) + np.log(spread)
    # The grid of means is coarse at its ends: each point counts by the room it has; means are uniform before the data.
    density += np.log(np.gradient(offset).repeat(len(_SPREADS)) * mean * (1 - mean))
    likelihood = np.zeros_like(mean)
    for wins, cases in zip(won, size, strict=True):
        likelihood += betaln(alpha + wins, beta + cases - wins) - betaln(alpha, beta)
    chance = np.exp(likelihood + density - (likelihood + density).max())
    kept = chance > _NEGLIGIBLE
    chance = chance[kept] / chance[kept].sum()
    alpha, weight = alpha[kept, None], weight[kept, None]

    rates = (alpha + won) / (weight + size)
    rate = chance @ rates
    variance = chance @ (rates * (1 - rates) / (weight + size + 1.0)) + chance @ (rates - rate) ** 2
    return Shrunk(rate, chance @ (weight / (weight + size)), *_ends(rate, variance))
