"""Rates of small groups drawn towards the rate of all, as far as the groups seem to be alike.

Hierarchical beta-binomial model: a group's rate has a beta distribution with mean m and weight k, its wins are binomial. Few groups say
little about k: with three, 95 % intervals by the most likely m and k held the true rate in 30 of 100 trials. So both are averaged over what
the data leave possible, on a grid (Gelman et al., Bayesian Data Analysis, 5.3), and 95 did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincinv, betaln

from leadlag.forecast.journeys import Floats

LEVELS = (0.8, 0.95)
# Prior of how far groups lie apart: half-normal, this its standard deviation on the scale of log odds, so that odds which differ threefold
# are no surprise. Half of it held too rarely where four groups differed as much, and gains little where they do not.
SPREAD = 1.0
_SPREADS = np.geomspace(0.01, 3.0, 25)
# Grid points that matter less than this beside the best are left out.
_NEGLIGIBLE = 1e-3


@dataclass(frozen=True)
class Shrunk:
    """Rates of groups, one element each.

    Attributes:
        rate: mean of the posterior. parent_share: how much of it is the rate of all, 0 to 1.
        low, high: (level of LEVELS, group), ends of equal-tailed intervals; empty when they were not asked for.
    """

    rate: Floats
    parent_share: Floats
    low: Floats
    high: Floats


_TAILS = np.array([(1 - level) / 2 for level in LEVELS])
_NO_ENDS = np.zeros((len(LEVELS), 0))


def alone(won: Floats, size: Floats, intervals: bool = True) -> Shrunk:
    """Rates without a parent: Jeffreys' prior, beta(1/2, 1/2).

    Args:
        won, size: wins and cases; need not be whole numbers.
    """
    alpha, beta = won + 0.5, size - won + 0.5
    low, high = (betaincinv(alpha, beta, tails[:, None]) if intervals else _NO_ENDS for tails in (_TAILS, 1 - _TAILS))
    return Shrunk(alpha / (alpha + beta), np.zeros_like(alpha), low, high)


def towards_all(won: Floats, size: Floats, intervals: bool = True) -> Shrunk:
    """Rates drawn towards that of all groups together.

    Args:
        won, size: wins and cases by group; need not be whole numbers.
    """
    pooled = (won.sum() + 0.5) / (size.sum() + 1.0)
    # The mean of all: wide enough for groups that differ, fine enough for many cases.
    reach = 5 * (np.sqrt(1.0 / (size.sum() * pooled * (1 - pooled) + 1.0)) + 1.0 / np.sqrt(len(won) + 1.0))
    offset = reach * np.linspace(-1, 1, 81) ** 3
    mean = 1.0 / (1.0 + (1.0 / pooled - 1.0) * np.exp(-offset))
    mean, spread = (grid.ravel() for grid in np.meshgrid(mean, _SPREADS, indexing="ij"))
    # Variance of log odds of a beta distribution, to first order.
    weight = np.maximum(1.0 / (spread**2 * mean * (1 - mean)) - 1.0, 0.05)
    alpha, beta = mean * weight, (1 - mean) * weight
    chance = np.log(spread) - spread**2 / (2 * SPREAD**2)
    # Means are uniform before the data; a point of the grid counts by the room it has.
    chance += np.log(np.gradient(offset).repeat(len(_SPREADS)) * mean * (1 - mean))
    for wins, cases in zip(won, size, strict=True):
        chance += betaln(alpha + wins, beta + cases - wins) - betaln(alpha, beta)
    chance = np.exp(chance - chance.max())
    kept = chance > _NEGLIGIBLE
    chance = chance[kept] / chance[kept].sum()
    alphas, betas = alpha[kept, None] + won, beta[kept, None] + size - won
    rates = alphas / (alphas + betas)
    rate, share = chance @ rates, chance @ ((alpha + beta)[kept, None] / (alphas + betas))
    if not intervals:
        return Shrunk(rate, share, _NO_ENDS, _NO_ENDS)
    variance = chance @ (rates * (1 - rates) / (alphas + betas + 1.0)) + chance @ (rates - rate) ** 2
    ends = [_quantile(tail, chance, alphas, betas, rate, variance) for tail in (*_TAILS, *(1 - _TAILS))]
    return Shrunk(rate, share, np.array(ends[: len(LEVELS)]), np.array(ends[len(LEVELS) :]))


def _quantile(level: float, chance: Floats, alphas: Floats, betas: Floats, mean: Floats, variance: Floats) -> Floats:
    """Quantiles of mixtures of beta distributions, by group.

    Args:
        chance: weight of each component. alphas, betas: (component, group). mean, variance: of the mixtures.
    """
    # Newton's method on log odds, from the beta distribution of the mixture's mean and variance.
    weight = mean * (1 - mean) / variance - 1
    found = np.clip(betaincinv(mean * weight, (1 - mean) * weight, level), 1e-12, 1 - 1e-12)
    constant = betaln(alphas, betas)
    odds = np.log(found) - np.log1p(-found)
    for _ in range(12):
        found = 1.0 / (1.0 + np.exp(-odds))
        held = chance @ betainc(alphas, betas, found)
        density = chance @ np.exp(alphas * np.log(found) + betas * np.log1p(-found) - constant)
        step = np.clip((level - held) / np.maximum(density, 1e-12), -0.7, 0.7)
        odds = np.clip(odds + step, -30, 30)
        if np.abs(step).max() < 1e-4:
            break
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))
