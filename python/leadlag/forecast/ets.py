"""Exponential smoothing with an additive damped trend, ETS(A,Ad,N) of Hyndman, Koehler, Ord and Snyder (2008), by least squares.

Given the smoothing parameters the errors are linear in the series and in the initial level and trend, so the initial state is solved for
exactly and only three parameters are searched. A season of 52 weeks has too many states for ETS (Hyndman and Athanasopoulos, Forecasting:
Principles and Practice, 3rd edition, 13.1): it is a regression on two harmonics, taken off before and put back after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.signal import lfilter

from leadlag.forecast.journeys import Floats

YEAR_OF_WEEKS = 52
HARMONICS = 2
# Level, share of it for the trend, damping: bounds as in R's ets.
BOUNDS = ((1e-4, 0.9999), (1e-4, 0.9999), (0.8, 0.98))
_STARTS = ((0.2, 0.05, 0.95), (0.5, 0.1, 0.97))


@dataclass(frozen=True)
class Damped:
    """A fitted ETS(A,Ad,N).

    Attributes:
        alpha, beta, phi: smoothing of level and trend, damping. level, trend: initial state, then the last one.
        sse: sum of squared errors of one step ahead.
    """

    alpha: float
    beta: float
    phi: float
    level: float
    trend: float
    last_level: float
    last_trend: float
    sse: float

    def ahead(self, steps: int) -> Floats:
        """The next values."""
        return self.last_level + self.last_trend * np.cumsum(self.phi ** np.arange(1, steps + 1))


def _errors(series: Floats, alpha: float, beta: float, phi: float) -> tuple[Floats, Floats]:
    """Errors of one step ahead, and the initial level and trend of the least squares."""
    # x' = D x + g y with D = F - g w; its characteristic polynomial is the denominator, that of F the numerator.
    trace, determinant = 1 - alpha + phi * (1 - beta), phi * (1 - alpha)
    below = [1.0, -trace, determinant]
    impulse = np.zeros(len(series))
    impulse[0] = 1.0
    free = lfilter([1.0, -(1 + phi), phi], below, series)
    of_level = lfilter([1.0, (1 - alpha - beta * phi) - trace], below, impulse)
    of_trend = lfilter([phi, (phi * (1 - alpha) + phi**2 * (1 - beta)) - trace * phi], below, impulse)
    # Two unknowns: the normal equations, which are well-conditioned enough here.
    one, both, two = of_level @ of_level, of_level @ of_trend, of_trend @ of_trend
    left, right = of_level @ free, of_trend @ free
    area = max(one * two - both * both, 1e-300)
    level, trend = (two * left - both * right) / area, (one * right - both * left) / area
    return free - level * of_level - trend * of_trend, np.array([level, trend])


def fit_damped(series: Floats) -> Damped:
    """Fit to a series of at least 6 values.

    Raises:
        ValueError: the series is shorter.
    """
    if len(series) < 6:
        raise ValueError(f"{len(series)} values are too few for a damped trend; 6 are needed")

    def loss(parameters: Floats) -> float:
        alpha, share, phi = parameters
        missed, _ = _errors(series, alpha, alpha * share, phi)
        return float(missed @ missed) / scale

    scale = max(float(np.var(series)) * len(series), 1e-12)
    # Not L-BFGS-B: for three parameters its threads cost ten times what they do.
    accuracy = {"xatol": 1e-3, "fatol": 1e-6}
    tried = (minimize(loss, start, method="Nelder-Mead", bounds=BOUNDS, options=accuracy) for start in _STARTS)
    alpha, share, phi = min(tried, key=lambda found: float(found.fun)).x
    beta = alpha * share
    missed, (level, trend) = _errors(series, alpha, beta, phi)
    last_level, last_trend = float(level), float(trend)
    for error in missed:
        last_level, last_trend = last_level + phi * last_trend + alpha * error, phi * last_trend + beta * error
    return Damped(
        float(alpha),
        float(beta),
        float(phi),
        float(level),
        float(trend),
        last_level,
        last_trend,
        float(missed @ missed),
    )


def _harmonics(weeks: Floats) -> Floats:
    angles = 2 * np.pi * np.outer(weeks / YEAR_OF_WEEKS, np.arange(1, HARMONICS + 1))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def ets(weekly: Floats, steps: int) -> Floats:
    """The coming weeks; with a season where two years are known, never below 0. A constant where there are fewer than 6 weeks."""
    count = len(weekly)
    if count < 6:
        return np.full(steps, float(weekly.mean()) if count else 0.0)
    season, coming = np.zeros(count), np.zeros(steps)
    if count >= 2 * YEAR_OF_WEEKS:
        week = np.arange(count + steps, dtype=np.float64)
        waves = _harmonics(week)
        straight = np.column_stack([np.ones(count), week[:count], waves[:count]])
        weights = np.linalg.lstsq(straight, weekly, rcond=None)[0][2:]
        season, coming = waves[:count] @ weights, waves[count:] @ weights
    return np.asarray(np.maximum(fit_damped(weekly - season).ahead(steps) + coming, 0.0))
