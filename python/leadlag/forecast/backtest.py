"""What forecasts would have been worth: made at earlier origins from what was known then, against simple methods and what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from leadlag.forecast import arrivals, metrics
from leadlag.forecast.intervals import LEVELS, errors, interval
from leadlag.forecast.journeys import Events, Floats
from leadlag.forecast.model import MEASURES, WON_AMOUNT, actual, forecast
from leadlag.forecast.periods import origins_before

WEEKS = (4, 13)
MODEL = "leadlag"
YEAR = 364
METHODS = (MODEL, "naive", "seasonal_naive", "drift", "exponential_smoothing")


@dataclass(frozen=True)
class Judged:
    """One forecast of the sum of some weeks, and what happened.

    Attributes:
        origin: its first day, in days since 1970.
        intervals: level -> ends, of the model only, from errors of forecasts that were over at the origin.
    """

    origin: float
    measure: str
    horizon_days: int
    method: str
    expected: float
    actual: float
    intervals: dict[float, tuple[float, float]]


@dataclass(frozen=True)
class Record:
    """How good the forecasts of a measure, horizon and method were.

    Attributes:
        wape, bias: metrics. gain: 1 - WAPE / WAPE of the seasonal naive forecasts of the same origins.
        coverage: level -> share of actual numbers within their interval; empty for other methods.
        forecasts: how many are judged; of the model those with an interval of a level may be fewer.
    """

    measure: str
    horizon_days: int
    method: str
    forecasts: int
    wape: float
    bias: float
    gain: float
    coverage: dict[float, float]


def _simple(series: Floats, days: int) -> dict[str, float]:
    """Sums of the coming days by methods that see nothing but the daily series."""
    weeks = len(series) // 7
    by_week = series[len(series) - weeks * 7 :].reshape(weeks, 7).sum(axis=1)
    steps = days // 7
    return {
        "naive": float(series[-days:].sum()),
        "seasonal_naive": float(series[len(series) - YEAR :][:days].sum()),
        "drift": float(arrivals.drift(by_week, steps).sum()),
        "exponential_smoothing": steps * arrivals.smoothed(by_week),
    }


def backtest(
    events: Events,
    end: float,
    origins: int = 104,
    progress: Callable[[list[float]], Iterable[float]] = iter,
) -> list[Judged]:
    """Judge forecasts of weekly origins before a day; only forecasts whose days are over by then.

    Args:
        end: a whole day, in days since 1970, up to which everything is known. origins: weekly origins, at most.
        progress: wraps the origins while they are gone through.

    Raises:
        ValueError: no origin has a year of history before it and its days over.
    """
    first = float(np.floor(events.time.min()))
    starts = [origin for origin in origins_before(events, end, origins)[::-1] if origin - first >= YEAR]
    starts = [origin for origin in starts if origin + 7 * min(WEEKS) <= end]
    if not starts:
        raise ValueError(
            f"nothing to judge: a back-test needs {YEAR} days of journeys, then {7 * min(WEEKS)} days to compare with"
        )
    longest = 7 * max(WEEKS)
    history = {measure: actual(events, measure, first, int(end - first)).sum(axis=0) for measure in MEASURES}
    made = {origin: forecast(events, origin, longest) for origin in progress(starts)}
    found = []
    for measure in MEASURES:
        series = history[measure]
        wins = history["won"].sum()
        unit = float(series.sum() / wins) if measure == WON_AMOUNT and wins > 0 else 1.0
        for weeks in WEEKS:
            days = 7 * weeks
            over = np.array([origin for origin in starts if origin + days <= end])
            said = np.array([made[origin].total(measure).sum(axis=0)[:days].sum() for origin in over])
            true = np.array([series[int(o - first) : int(o - first) + days].sum() for o in over])
            missed = errors(true, said, unit)
            for number, origin in enumerate(over):
                past = missed[over + days <= origin]
                ends = {level: interval(float(said[number]), past, level, unit) for level in LEVELS}
                known = {level: pair for level, pair in ends.items() if pair is not None}
                sums = {MODEL: float(said[number]), **_simple(series[: int(origin - first)], days)}
                found += [
                    Judged(
                        float(origin),
                        measure,
                        days,
                        method,
                        value,
                        float(true[number]),
                        known if method == MODEL else {},
                    )
                    for method, value in sums.items()
                ]
    return found


def records(judged: list[Judged]) -> list[Record]:
    """The metrics by measure, horizon and method, in the order of METHODS."""
    groups: dict[tuple[str, int, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.measure, one.horizon_days, one.method), []).append(one)
    found = []
    for (measure, days, method), ones in groups.items():
        true, said = ([getattr(one, name) for one in ones] for name in ("actual", "expected"))
        reference = metrics.wape(true, [one.expected for one in groups[measure, days, "seasonal_naive"]])
        own = metrics.wape(true, said)
        cover = {}
        for level in LEVELS:
            within = [one for one in ones if level in one.intervals]
            if within:
                low, high = zip(*(one.intervals[level] for one in within), strict=True)
                cover[level] = metrics.coverage([one.actual for one in within], low, high)
        found.append(
            Record(measure, days, method, len(ones), own, metrics.bias(true, said), 1 - own / reference, cover)
        )
    return found
