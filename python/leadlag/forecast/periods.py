"""A forecast by calendar period and cut, with intervals from the errors that forecasts at earlier origins made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from leadlag.forecast.intervals import LEVELS, errors, interval
from leadlag.forecast.journeys import Events, Floats
from leadlag.forecast.model import MEASURES, WON_AMOUNT, DailyForecast, actual, forecast

# Two quarters, from any day of the first.
HORIZON = 184
# Single days are forecast so far ahead.
DAYS_AHEAD = 28
# Earlier origins, a week apart, that forecasts are made at to learn from their errors.
ORIGINS = 78
# Without so many days before it nothing is forecast at an origin.
LEAST_HISTORY = 182
EPOCH = date(1970, 1, 1)


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
        intervals: level -> ends; a level is missing where too few forecasts of the kind are over.
        completed: how many are.
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
        self.earlier = [forecast(events, earlier, horizon) for earlier in progress(origins_before(events, origin))]
        oldest = min([made.origin for made in self.earlier], default=origin)
        self.begin = min(oldest, origin - 92)
        # Until the origin; what an earlier forecast said of later days is not over.
        self.actual = {measure: actual(events, measure, self.begin, int(origin - self.begin)) for measure in MEASURES}

    def happened(self, measure: str, cut: Floats, first: float, last: float) -> float:
        """What happened of a measure between two days."""
        days = slice(int(first - self.begin), int(last - self.begin))
        return float(cut @ self.actual[measure][:, days].sum(axis=1))

    def unit(self, measure: str) -> float:
        """What one journey counts: 1, or the mean amount of a win."""
        if measure != WON_AMOUNT:
            return 1.0
        wins = self.now.total("won").sum()
        return float(self.now.total(WON_AMOUNT).sum() / wins) if wins > 0 else 1.0

    def past_errors(self, measure: str, cut: Floats, first: int, last: int) -> Floats:
        """Errors of earlier forecasts of the same days ahead that are over."""
        done = [made for made in self.earlier if made.origin + last <= self.origin]
        said = np.array([_sum(made, measure, cut, first, last) for made in done])
        true = np.array([self.happened(measure, cut, made.origin + first, made.origin + last) for made in done])
        return errors(true, said, self.unit(measure))

    def predictions(self) -> Iterator[Prediction]:
        """All periods and cuts of all measures."""
        day = EPOCH + timedelta(days=int(self.origin))
        for measure in MEASURES:
            unit = self.unit(measure)
            for name, value, cut in self.cuts:
                for period in periods(day, self.horizon):
                    first = max(period.first, 0)
                    to_date = self.happened(measure, cut, self.origin + period.first, self.origin + first)
                    from_open, from_arrivals = (
                        float(cut @ part[measure][:, first : period.last].sum(axis=1))
                        for part in (self.now.from_open, self.now.from_arrivals)
                    )
                    ahead = from_open + from_arrivals
                    past = self.past_errors(measure, cut, first, period.last)
                    found = {level: interval(ahead, past, level, unit) for level in LEVELS}
                    ends = {level: (to_date + pair[0], to_date + pair[1]) for level, pair in found.items() if pair}
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
                        len(past),
                    )


def _sum(made: DailyForecast, measure: str, cut: Floats, first: int, last: int) -> float:
    return float(cut @ made.total(measure)[:, first:last].sum(axis=1))
