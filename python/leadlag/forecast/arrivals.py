"""Journeys still to come: a week's number, then its days."""

from __future__ import annotations

import numpy as np

from leadlag.forecast.journeys import Floats

WEEK, YEAR_OF_WEEKS = 7, 52
_ALPHAS = np.linspace(0.02, 0.98, 49)
# Weeks from which shares of weekdays are taken.
RECENT = 26
# Days in a row without anything, and how much was to be expected of them, that make a gap in the data.
GAP_DAYS, GAP_EXPECTED = 7, 20.0
# Days of the longest gap that is filled.
GAP_LONGEST = 14


def smoothed(series: Floats) -> float:
    """Next value by simple exponential smoothing, its weight chosen by the squared errors of one step ahead."""
    if len(series) == 0:
        return 0.0
    level = np.full(len(_ALPHAS), float(series[: min(len(series), 8)].mean()))
    errors = np.zeros(len(_ALPHAS))
    for value in series:
        errors += (value - level) ** 2
        level = level + _ALPHAS * (value - level)
    return float(level[np.argmin(errors)])


def seasonal_naive(series: Floats, season: int, steps: int) -> Floats:
    """The values of the last season, repeated."""
    return np.resize(series[-season:], steps)


def drift(series: Floats, steps: int) -> Floats:
    """The last value and the average change since the first, which never goes below 0."""
    slope = (series[-1] - series[0]) / max(len(series) - 1, 1)
    return np.asarray(np.maximum(series[-1] + slope * np.arange(1, steps + 1), 0.0))


def weekly(series: Floats, steps: int) -> tuple[Floats, str | None]:
    """Forecast of weekly numbers: the mean of exponential smoothing and last year's weeks at this year's level.

    Args:
        series: weekly numbers, the last one of the week before the forecast.

    Returns:
        The numbers, and why the season is left out when it is: less than two years are known.
    """
    level = np.full(steps, smoothed(series))
    if len(series) < 2 * YEAR_OF_WEEKS:
        return level, "fewer than two years of arrivals: no season"
    last_year = seasonal_naive(series, YEAR_OF_WEEKS, steps)
    quarter = series[-13:].mean()
    same_quarter = series[-YEAR_OF_WEEKS - 13 : -YEAR_OF_WEEKS].mean()
    growth = np.clip(quarter / same_quarter, 0.5, 2.0) if same_quarter > 0 else 1.0
    return (level + last_year * growth) / 2, None


def filled(counts: Floats) -> tuple[Floats, list[tuple[int, int]]]:
    """Numbers a day with gaps in the data filled by the weekdays of the four weeks before, and where gaps are: (first day, day after).

    A gap is GAP_DAYS or more without anything where the four weeks before let expect GAP_EXPECTED: no lull, but rows that are missing.
    One of more than GAP_LONGEST days stays as it is: perhaps nothing came any more.
    """
    found = counts.copy()
    gaps = []
    edges = np.flatnonzero(np.diff(np.r_[0, (counts == 0).astype(np.int8), 0]))
    for begin, end in edges.reshape(-1, 2).tolist():
        before = found[max(begin - 4 * WEEK, 0) : begin]
        if end - begin >= GAP_DAYS and len(before) >= WEEK and before.mean() * (end - begin) >= GAP_EXPECTED:
            gaps.append((begin, end))
            for day in range(begin, end if end - begin <= GAP_LONGEST else begin):
                found[day] = before[len(before) - ((begin - day) % WEEK or WEEK) :: -WEEK].mean()
    return found, gaps


def daily(counts: Floats, steps: int) -> tuple[Floats, str | None]:
    """Forecast of daily numbers.

    Args:
        counts: arrivals by day, the last one of the day before the forecast.
        steps: days.
    """
    weeks = len(counts) // WEEK
    if weeks == 0:
        return np.full(steps, float(counts.mean()) if len(counts) else 0.0), "less than a week of arrivals"
    # Weeks end with the last day, so that none is broken off.
    by_week = counts[len(counts) - weeks * WEEK :].reshape(weeks, WEEK)
    recent = by_week[-RECENT:].sum(axis=0)
    shares = (recent + 1.0) / (recent.sum() + WEEK)
    ahead = -(-steps // WEEK)
    numbers, reason = weekly(by_week.sum(axis=1), ahead)
    return (numbers[:, None] * shares[None, :]).ravel()[:steps], reason
