"""Intervals from the errors of earlier forecasts: split conformal prediction (Vovk et al. 2005; Lei et al. 2018) on ratios.

A forecast made at an earlier origin is judged by what happened, once all of its days are over. The size of its error, as a ratio, has some
rank among those; the interval reaches as far as the error of rank ceil((n + 1) x level). It needs no model of the noise, only that
tomorrow's errors are like yesterday's.
"""

from __future__ import annotations

import math

import numpy as np

from leadlag.forecast.journeys import Floats

LEVELS = (0.8, 0.95)


def errors(actual: Floats, forecast: Floats, unit: float = 1.0) -> Floats:
    """Logarithms of ratios, half a unit (one journey, or the amount of one) added to both so that none is infinite."""
    return np.asarray(np.log((np.asarray(actual) + unit / 2) / (np.asarray(forecast) + unit / 2)))


def needed(level: float) -> int:
    """Completed forecasts without which there is no interval of a level."""
    return math.ceil(level / (1 - level) - 1e-9)


def interval(forecast: float, past: Floats, level: float, unit: float = 1.0) -> tuple[float, float] | None:
    """Low and high end, or None with too few completed forecasts.

    Args:
        forecast: expected number.
        past: `errors` of completed forecasts of the same length and distance.
        level: share of forecasts whose actual number shall lie within, such as 0.8.
        unit: as in `errors`.
    """
    count = len(past)
    if count < needed(level):
        return None
    rank = math.ceil((count + 1) * level - 1e-9)
    reach = float(np.sort(np.abs(past))[rank - 1])
    low, high = ((forecast + unit / 2) * math.exp(sign * reach) - unit / 2 for sign in (-1, 1))
    return max(low, 0.0), max(high, 0.0)
