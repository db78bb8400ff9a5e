"""How good a forecast was. All functions take arrays of equal length; names and formulas as in Hyndman and Athanasopoulos, Forecasting:
Principles and Practice, 5.8 and 5.9."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Values = npt.ArrayLike


def _pair(actual: Values, forecast: Values) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    left, right = np.asarray(actual, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    if left.shape != right.shape:
        raise ValueError(f"{left.shape} actual values and {right.shape} forecasts do not belong together")
    if left.size == 0:
        raise ValueError("no values to judge")
    return left, right


def rmse(actual: Values, forecast: Values) -> float:
    """Root of the mean squared error, in the unit of the values."""
    left, right = _pair(actual, forecast)
    return float(np.sqrt(np.mean((left - right) ** 2)))


def mae(actual: Values, forecast: Values) -> float:
    """Mean absolute error, in the unit of the values."""
    left, right = _pair(actual, forecast)
    return float(np.mean(np.abs(left - right)))


def mape(actual: Values, forecast: Values) -> float:
    """Mean absolute error as a share of each actual value.

    Raises:
        ValueError: an actual value is 0.
    """
    left, right = _pair(actual, forecast)
    if (left == 0).any():
        raise ValueError("MAPE has no value where an actual value is 0; use WAPE")
    return float(np.mean(np.abs((left - right) / left)))


def wape(actual: Values, forecast: Values) -> float:
    """Sum of absolute errors as a share of the sum of absolute actual values; NaN when that is 0."""
    left, right = _pair(actual, forecast)
    total = np.abs(left).sum()
    return float(np.abs(left - right).sum() / total) if total else float("nan")


def mase(actual: Values, forecast: Values, history: Values, season: int) -> float:
    """Mean absolute error in units of that of the seasonal naive forecast over the history (Hyndman and Koehler 2006).

    Raises:
        ValueError: the history is no longer than a season, or never changes from season to season.
    """
    past = np.asarray(history, dtype=np.float64)
    if len(past) <= season:
        raise ValueError(f"MASE needs more than {season} values of history")
    scale = float(np.mean(np.abs(past[season:] - past[:-season])))
    if scale == 0:
        raise ValueError("MASE has no value: the history repeats itself exactly")
    return mae(actual, forecast) / scale


def bias(actual: Values, forecast: Values) -> float:
    """Sum of forecasts over the sum of actual values, less 1: above 0 when too much was promised; NaN when nothing happened."""
    left, right = _pair(actual, forecast)
    total = left.sum()
    return float(right.sum() / total - 1) if total else float("nan")


def pinball(actual: Values, quantile: Values, level: float) -> float:
    """Mean quantile loss at a level between 0 and 1, in the unit of the values."""
    left, right = _pair(actual, quantile)
    return float(np.mean(np.where(left >= right, level * (left - right), (1 - level) * (right - left))))


def coverage(actual: Values, low: Values, high: Values) -> float:
    """Share of actual values within their interval, ends included."""
    left, lower = _pair(actual, low)
    _, upper = _pair(actual, high)
    return float(np.mean((lower <= left) & (left <= upper)))
