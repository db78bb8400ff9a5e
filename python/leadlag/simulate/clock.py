"""Time zones, office hours and the calendar of demand. All times int64 milliseconds UTC."""

from __future__ import annotations

import datetime as dt
import functools

import numpy as np

from leadlag.simulate.arrays import DAY, HOUR, MINUTE, Floats, Ints

# Time zones the fictional company works in. Singapore keeps no summer time.
BERLIN, NEW_YORK, SINGAPORE = 0, 1, 2
ZONE_NAMES = ("Europe/Berlin", "America/New_York", "Asia/Singapore")

_FIRST_YEAR, _LAST_YEAR = 2000, 2050
_OPEN, _CLOSE = 8 * HOUR, 18 * HOUR


def milliseconds(moment: dt.datetime) -> int:
    """UTC milliseconds of a time; one without a zone is read as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return int((moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(milliseconds=1))


def _sunday(year: int, month: int, number: int) -> dt.datetime:
    """The number-th Sunday of a month, or the last one for number -1, at midnight."""
    if number > 0:
        first = dt.datetime(year, month, 1, tzinfo=dt.UTC)
        return first + dt.timedelta(days=(6 - first.weekday()) % 7 + 7 * (number - 1))
    last = dt.datetime(year, month + 1, 1, tzinfo=dt.UTC) - dt.timedelta(days=1)
    return last - dt.timedelta(days=(last.weekday() + 1) % 7)


@functools.cache
def _changes(zone: int) -> tuple[Ints, Ints]:
    """Instants at which the clocks change and the offsets between them (one more than instants).

    Written from the rules in force since 2007, so that the simulator needs no time-zone database.
    """
    instants: list[int] = []
    standard, summer = (HOUR, 2 * HOUR) if zone == BERLIN else (-5 * HOUR, -4 * HOUR)
    for year in range(_FIRST_YEAR, _LAST_YEAR):
        if zone == BERLIN:
            begin = _sunday(year, 3, -1) + dt.timedelta(hours=1)
            end = _sunday(year, 10, -1) + dt.timedelta(hours=1)
        else:
            begin = _sunday(year, 3, 2) + dt.timedelta(hours=7)
            end = _sunday(year, 11, 1) + dt.timedelta(hours=6)
        instants += [milliseconds(begin), milliseconds(end)]
    offsets = [standard] + [summer, standard] * (len(instants) // 2)
    return np.array(instants, dtype=np.int64), np.array(offsets, dtype=np.int64)


def utc_offset(zone: Ints, utc: Ints) -> Ints:
    """Local time minus UTC in milliseconds, row by row."""
    offset = np.full(len(utc), 8 * HOUR, dtype=np.int64)
    for code in (BERLIN, NEW_YORK):
        rows = np.flatnonzero(zone == code)
        instants, offsets = _changes(code)
        offset[rows] = offsets[np.searchsorted(instants, utc[rows], side="right")]
    return offset


def office_time(zone: Ints, utc: Ints, jitter: Floats) -> Ints:
    """Move times outside Monday-Friday 08:00-18:00 local time to the next opening, plus up to two hours.

    Args:
        jitter: numbers in [0, 1) that spread the morning's backlog.
    """
    offset = utc_offset(zone, utc)
    local = utc + offset
    day, clock = np.divmod(local, DAY)
    day = np.where(clock >= _CLOSE, day + 1, day)
    # 1970-01-01 was a Thursday: 0 = Monday.
    weekday = (day + 3) % 7
    day = day + np.where(weekday >= 5, 7 - weekday, 0)
    opening = day * DAY + _OPEN + (jitter * 2 * HOUR).astype(np.int64)
    inside = (local // DAY == day) & (clock >= _OPEN)
    return np.asarray(np.where(inside, utc, opening - offset), dtype=np.int64)


def working_day(zone: Ints, utc: Ints, begin: Ints, end: Ints) -> Ints:
    """Squeeze times into office hours of their own day (of Friday for a weekend), but never outside [begin, end].

    Unlike `office_time` this keeps a time near where it was, so that many actions fit between two milestones.
    """
    offset = utc_offset(zone, utc)
    day, clock = np.divmod(utc + offset, DAY)
    weekday = (day + 3) % 7
    day = day - np.maximum(weekday - 4, 0)
    squeezed = day * DAY + _OPEN + clock * (_CLOSE - _OPEN) // DAY - offset
    return np.asarray(np.clip(squeezed, begin, end), dtype=np.int64)


# Demand by month: budgets open in spring and autumn, August and late December are quiet.
MONTH_WEIGHT = (0.98, 1.03, 1.12, 1.04, 1.06, 0.97, 0.86, 0.74, 1.12, 1.15, 1.10, 0.83)
WEEKDAY_WEIGHT = (1.08, 1.18, 1.16, 1.12, 0.94, 0.28, 0.26)
# Share of arrivals by local hour.
_HOUR_WEIGHT = (1, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 17, 14, 16, 18, 17, 15, 12, 8, 7, 6, 5, 3, 2)


def demand(first_day: int, days: int, yearly_growth: float) -> Floats:
    """Expected arrivals of each day relative to the first (growth x month x weekday).

    Args:
        first_day: days since 1970-01-01.
        yearly_growth: 0.25 means a quarter more each year.
    """
    number = np.arange(first_day, first_day + days)
    month = number.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
    growth = (1.0 + yearly_growth) ** ((number - first_day) / 365.25)
    return np.asarray(growth * np.array(MONTH_WEIGHT)[month] * np.array(WEEKDAY_WEIGHT)[(number + 3) % 7])


def arrivals(rng: np.random.Generator, zone: Ints, first_day: int, days: int, growth: float) -> Ints:
    """Arrival times (UTC) in a period, one for each row, by season and local hour, to the second."""
    rows = len(zone)
    edges = np.cumsum(demand(first_day, days, growth))
    day = first_day + np.searchsorted(edges / edges[-1], rng.random(rows), side="right").astype(np.int64)
    hours = np.cumsum(np.array(_HOUR_WEIGHT, dtype=np.float64))
    hour = np.searchsorted(hours / hours[-1], rng.random(rows), side="right").astype(np.int64)
    local = day * DAY + hour * HOUR + (rng.random(rows) * HOUR).astype(np.int64)
    utc = local - utc_offset(zone, local)
    first, last = first_day * DAY, (first_day + days) * DAY
    # Local midnight of the first or last day may lie outside the period in UTC.
    return np.asarray(np.clip(utc, first + MINUTE, last - MINUTE) // 1000 * 1000, dtype=np.int64)
