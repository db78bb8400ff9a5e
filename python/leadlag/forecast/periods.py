"""A forecast by calendar period and cut, with intervals from the errors that forecasts at earlier origins made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from leadlag.forecast.intervals import LEVELS, WATCHED, Recalibration, chance, errors, interval, recalibrate, spread
from leadlag.forecast.journeys import Events, Floats
from leadlag.forecast.model import (
    EPOCH,
    LEAST_OUTCOMES,
    MEASURES,
    WON_AMOUNT,
    DailyForecast,
    actual,
    day_of,
    forecast,
)

# Two quarters, from any day of the first.
HORIZON = 184
# Single days are forecast so far ahead.
DAYS_AHEAD = 28
# Earlier origins, a week apart, that forecasts are made at to learn from their errors.
ORIGINS = 78
# Without so many days before it nothing is forecast at an origin.
LEAST_HISTORY = 182
# Periods of which what has happened is held against what was said when they began.
WATCHED_PERIODS = ("month", "quarter")


@dataclass(frozen=True)
class Period:
    """A calendar period, and which days of the forecast belong to it.

    Attributes:
        first, last: days from the origin, the last one excluded; a period that had begun has a negative first one.
    """

    grain: str
    start: date
    first: int
    last: int


@dataclass(frozen=True)
class Prediction:
    """One row of prediction_forecast but for its run.

    Attributes:
        expected: number of the whole period: what had happened already, and both kinds of journeys.
        actual_to_date: what had happened before the origin.
        intervals: level -> ends; none where too few forecasts of the kind are over.
        completed: how many are.
        reason: fallbacks that were taken, in words.
    """

    measure: str
    cut_name: str
    cut_value: str
    period: Period
    expected: float
    actual_to_date: float
    from_open: float
    from_arrivals: float
    intervals: dict[float, tuple[float, float]]
    completed: int
    reason: str | None


@dataclass(frozen=True)
class Deviation:
    """One row of prediction_deviation but for its run: what a period has brought so far, and what was said of those days when it began.

    Attributes:
        days: of the period before the origin.
        intervals, completed, reason: as in Prediction, of what was said then.
    """

    measure: str
    cut_name: str
    cut_value: str
    period_grain: str
    period_start: date
    days: int
    expected: float
    actual: float
    intervals: dict[float, tuple[float, float]]
    completed: int
    reason: str | None


def _start(day: date, grain: str) -> date:
    if grain == "week":
        return day - timedelta(days=day.weekday())
    if grain == "month":
        return day.replace(day=1)
    if grain == "quarter":
        return day.replace(month=day.month - (day.month - 1) % 3, day=1)
    return day


def _next(start: date, grain: str) -> date:
    days = {"day": 1, "week": 7, "month": 31, "quarter": 92}[grain]
    return _start(start + timedelta(days=days), grain)


def periods(origin: date, horizon: int = HORIZON) -> Iterator[Period]:
    """Days, weeks, months and quarters from an origin that end within the horizon."""
    for grain in ("day", "week", "month", "quarter"):
        start = _start(origin, grain)
        while True:
            end = _next(start, grain)
            last = (end - origin).days
            if last > (DAYS_AHEAD if grain == "day" else horizon):
                break
            yield Period(grain, start, (start - origin).days, last)
            start = end


def cuts(segments: tuple[tuple[str, str], ...]) -> list[tuple[str, str, Floats]]:
    """(cut_name, cut_value, 1 for each segment in it): the total, regions and product lines; every cut adds up to the total."""
    found = [("total", "*", np.ones(len(segments)))]
    for place, name in enumerate(("region", "product_line")):
        for value in sorted({segment[place] for segment in segments}):
            found.append((name, value, np.array([float(segment[place] == value) for segment in segments])))
    return found


def origins_before(events: Events, origin: float, count: int = ORIGINS) -> list[float]:
    """Earlier origins, a week apart, newest first, that have enough history."""
    first = float(np.floor(events.time.min()))
    found = (origin - 7 * number for number in range(1, count + 1))
    return [earlier for earlier in found if earlier - first >= LEAST_HISTORY]


class Outlook:
    """The forecast of an origin and those of earlier ones.

    Args:
        events: journeys.
        origin: a whole day, in days since 1970.
        progress: wraps the earlier origins while they are gone through.

    Attributes:
        recalibrations: measure -> what was learnt from forecasts of the total that are over.

    Raises:
        ValueError: too little is known before the origin.
    """

    def __init__(
        self,
        events: Events,
        origin: float,
        horizon: int = HORIZON,
        progress: Callable[[list[float]], Iterable[float]] = iter,
    ) -> None:
        known = events.known_at(origin)
        begin = float(np.floor(events.time[known].min())) if known.any() else origin
        if origin - begin < LEAST_HISTORY:
            raise ValueError(
                f"journeys are known for {int(origin - begin)} days before the origin; {LEAST_HISTORY} are needed to forecast"
            )
        self.events, self.origin, self.horizon = events, origin, horizon
        self.cuts = cuts(events.segments)
        self.now = forecast(events, origin, horizon)
        earlier = origins_before(events, origin)[::-1]
        self.origins = np.array(earlier)
        self.begin = min(min(earlier, default=origin), origin - 92)
        weights = np.array([cut for _, _, cut in self.cuts])
        # Sums of the first days, (origin, cut, days), of what was said, and of what happened until the origin, (cut, days): what an earlier
        # forecast said of later days is not over.
        daily = {measure: np.zeros((len(earlier), len(weights), horizon)) for measure in MEASURES}
        for number, one in enumerate(progress(earlier)):
            made = forecast(events, one, horizon)
            for measure in MEASURES:
                daily[measure][number] = weights @ made.total(measure)
        days = int(origin - self.begin)
        self.said = {measure: _summed(daily.pop(measure)) for measure in MEASURES}
        self.happened = {measure: _summed(weights @ actual(events, measure, self.begin, days)) for measure in MEASURES}
        self.recalibrations = {measure: self.recalibration(measure, origin) for measure in MEASURES}

    def between(self, measure: str, cut: int, first: Floats | float, last: Floats | float) -> Floats:
        """What happened of a measure and cut between days."""
        summed = self.happened[measure][cut]
        return np.asarray(summed[_place(last, self.begin)] - summed[_place(first, self.begin)])

    def unit(self, measure: str) -> float:
        """What one journey counts: 1, or the mean amount of a win."""
        if measure != WON_AMOUNT:
            return 1.0
        wins = self.now.total("won").sum()
        return float(self.now.total(WON_AMOUNT).sum() / wins) if wins > 0 else 1.0

    def past(self, measure: str, cut: int, first: int, last: int, moment: float) -> tuple[Floats, Floats]:
        """Errors of earlier forecasts of the same days ahead that were over at a time, and their ages in days."""
        over = self.origins + last <= moment
        made = self.origins[over]
        summed = self.said[measure][over, cut]
        true = self.between(measure, cut, made + first, made + last)
        return errors(true, summed[:, last] - summed[:, first], self.unit(measure)), moment - made - last

    def recalibration(self, measure: str, moment: float) -> Recalibration:
        """What forecasts of the total that were over at a time say of how later ones shall be centred and spread."""
        days = min(WATCHED, self.horizon)
        over = self.origins + days <= moment
        missed, _ = self.past(measure, 0, 0, days, moment)
        counts = self.said[measure][over, 0, days] / self.unit(measure)
        variation = self.now.variation if measure == WON_AMOUNT else 0.0
        return recalibrate(self.origins[over], missed, chance(counts, variation), moment)

    def ends(
        self, measure: str, cut: int, first: int, last: int, ahead: float, moment: float
    ) -> tuple[dict[float, tuple[float, float]], int]:
        """Intervals of what some days bring, as errors known at a time make them, and of how many errors."""
        unit = self.unit(measure)
        past, age = self.past(measure, cut, first, last, moment)
        by_chance = float(chance(ahead / unit, self.now.variation if measure == WON_AMOUNT else 0.0))
        expected = spread(past, age, last - first, by_chance)
        if expected is None:
            return {}, len(past)
        scale = self.recalibrations[measure].scale
        return {level: interval(ahead, expected.scaled(scale), level, unit) for level in LEVELS}, len(past)

    def reason(self, made: DailyForecast, cut: int) -> str | None:
        """Fallbacks of a forecast and cut."""
        found = list(made.reasons)
        name, value, weights = self.cuts[cut]
        ended = int(weights @ made.outcomes)
        if name != "total" and ended < LEAST_OUTCOMES:
            found.append(
                f"only {ended} journeys of {name} {value} have ended: its rates are drawn towards those of all"
            )
        return "; ".join(found) or None

    def predictions(self) -> Iterator[Prediction]:
        """All periods and cuts of all measures."""
        day = day_of(self.origin)
        for measure in MEASURES:
            factor = float(np.exp(self.recalibrations[measure].centre))
            for cut, (name, value, weights) in enumerate(self.cuts):
                reason = self.reason(self.now, cut)
                parts = [_summed(weights @ part[measure]) for part in (self.now.from_open, self.now.from_arrivals)]
                for period in periods(day, self.horizon):
                    first = max(period.first, 0)
                    to_date = float(self.between(measure, cut, self.origin + min(period.first, 0), self.origin))
                    from_open, from_arrivals = (factor * float(part[period.last] - part[first]) for part in parts)
                    ahead = from_open + from_arrivals
                    found, completed = self.ends(measure, cut, first, period.last, ahead, self.origin)
                    ends = {level: (to_date + low, to_date + high) for level, (low, high) in found.items()}
                    yield Prediction(
                        measure,
                        name,
                        value,
                        period,
                        to_date + ahead,
                        to_date,
                        from_open,
                        from_arrivals,
                        ends,
                        completed,
                        reason,
                    )

    def deviations(self) -> Iterator[Deviation]:
        """The month and the quarter that the day before the origin lies in, as far as they are over."""
        for grain in WATCHED_PERIODS:
            start = _start(day_of(self.origin - 1), grain)
            began = float((start - EPOCH).days)
            days = int(self.origin - began)
            known = self.events.known_at(began)
            if (
                began < self.begin
                or not known.any()
                or began - float(np.floor(self.events.time[known].min())) < LEAST_HISTORY
            ):
                continue
            made = forecast(self.events, began, days)
            for measure in MEASURES:
                factor = float(np.exp(self.recalibration(measure, began).centre))
                for cut, (name, value, weights) in enumerate(self.cuts):
                    ahead = factor * float(weights @ made.total(measure).sum(axis=1))
                    found, completed = self.ends(measure, cut, 0, days, ahead, began)
                    true = float(self.between(measure, cut, began, self.origin))
                    reason = self.reason(made, cut)
                    yield Deviation(measure, name, value, grain, start, days, ahead, true, found, completed, reason)


def _summed(daily: Floats) -> Floats:
    """Sums of the first 0, 1, 2 ... days, along the last axis."""
    return np.concatenate([np.zeros((*daily.shape[:-1], 1)), np.cumsum(daily, axis=-1)], axis=-1)


def _place(day: Floats | float, begin: float) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.asarray(np.asarray(day) - begin, dtype=np.int64)
