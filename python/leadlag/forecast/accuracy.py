"""Why a month came out as it did: the difference from the forecast made when it began, split without a rest.

With F the forecast, F' the same with the journeys that did begin, and A what happened:

    arrivals = F' - F              more or fewer journeys began than expected
    rate     = F' x (r - 1)        more or fewer of these journeys got there, by FOLLOW_UP days or the last day known
    timing   = A - F' x r          sooner or later than expected
    amount   = amount won - wins x mean amount expected, of won_amount; 0 of numbers

where r is what the journeys that were open or began in the time reached by the end of the follow-up, over what was expected of them. In
the newest month the follow-up is no longer than the forecast, so what is timing is still taken for rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from leadlag.forecast.journeys import CODES, Bools, Events, Floats
from leadlag.forecast.model import EPOCH, MILESTONES, WON_AMOUNT, Outset, actual, day_of, outset

# Months that a forecast made at the start of one sums: that month, or the quarter that begins with it.
MONTHS = (1, 3)
# Days after the start of the month by which journeys are looked at.
FOLLOW_UP = 184


@dataclass(frozen=True)
class Variance:
    """One row of prediction_accuracy but for its run; the effects add up to actual - expected.

    Attributes:
        follow_up_days: days after the last one forecast by which it is known what became of the journeys.
    """

    measure: str
    month_start: date
    horizon_months: int
    expected: float
    actual: float
    arrivals_effect: float
    rate_effect: float
    timing_effect: float
    amount_effect: float
    follow_up_days: int


def month_starts(first: float, end: float) -> list[float]:
    """First days of months that have wholly passed between two days, since 1970."""
    month = day_of(first)
    month = month if month.day == 1 else _later(month, 1)
    found = []
    while (_later(month, 1) - EPOCH).days <= end:
        found.append(float((month - EPOCH).days))
        month = _later(month, 1)
    return found


def _later(month: date, months: int) -> date:
    number = month.year * 12 + month.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def variances(events: Events, start: float, end: float) -> Iterator[Variance]:
    """The forecasts made at the start of a month against what happened.

    Args:
        start: first day of the month, in days since 1970. end: day up to which everything is known.
    """
    lengths = {months: int((_later(day_of(start), months) - EPOCH).days - start) for months in MONTHS}
    horizon = int(min(end - start, max(FOLLOW_UP, *lengths.values())))
    made = outset(events, start, horizon)
    for months, days in lengths.items():
        if start + days <= end:
            yield from _split(events, made, start, months, days)


def _split(events: Events, made: Outset, start: float, months: int, days: int) -> Iterator[Variance]:
    horizon = made.arrivals.shape[1]
    began = _began(events, start, days, horizon)
    entered = _entry_days(events)
    for milestone in MILESTONES:
        from_open = made.from_open[milestone]
        said = (from_open + made.reached_by(made.arrivals, milestone))[:, :days].sum(axis=1)
        with_arrivals = from_open + made.reached_by(began, milestone)
        known = with_arrivals[:, :days].sum(axis=1)
        happened = actual(events, milestone, start, days).sum(axis=1)
        theirs = (events.code == CODES[milestone]) & (entered < start + days)
        theirs &= (events.time >= start) & (events.time < start + horizon)
        expected_later = float(with_arrivals.sum())
        ratio = np.count_nonzero(theirs) / expected_later if expected_later > 0 else 1.0
        each = {milestone: np.ones_like(said)}
        if milestone == "won":
            each[WON_AMOUNT] = made.amount
        for measure, worth in each.items():
            true = float(actual(events, measure, start, days).sum())
            rate = float(worth @ known) * (ratio - 1)
            valued = float(worth @ happened)
            yield Variance(
                measure,
                day_of(start),
                months,
                float(worth @ said),
                true,
                float(worth @ known - worth @ said),
                rate,
                valued - float(worth @ known) * ratio,
                true - valued if measure == WON_AMOUNT else 0.0,
                horizon - days,
            )


def _began(events: Events, start: float, days: int, horizon: int) -> Floats:
    """Journeys that began in the time, (segment, day), with all that is known now."""
    first = _first(events)
    day = np.floor(events.time[first] - start).astype(np.int64)
    here = (day >= 0) & (day < days)
    found = np.zeros((len(events.segments), horizon))
    np.add.at(found, (events.segment[first][here], day[here]), 1.0)
    return found


def _first(events: Events) -> Bools:
    return np.asarray(np.r_[True, events.journey[1:] != events.journey[:-1]])


def _entry_days(events: Events) -> Floats:
    """When the journey of each event began."""
    first = _first(events)
    return np.asarray(events.time[first][np.cumsum(first) - 1])
