"""What forecasts would have been worth: made at earlier origins from what was known then, against simple methods and what happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from leadlag.forecast import arrivals, metrics
from leadlag.forecast.ets import ets
from leadlag.forecast.intervals import LEVELS, WATCHED, chance, errors, interval, recalibrate, spread
from leadlag.forecast.journeys import Events, Floats
from leadlag.forecast.model import MEASURES, WON_AMOUNT, actual, forecast
from leadlag.forecast.periods import origins_before
from leadlag.forecast.pipeline import Pipeline

WEEKS = (4, 13, 26)
YEAR = 364
# The model as `leadlag forecast` uses it, and without what it learns from its own errors.
MODEL, UNCALIBRATED = "leadlag", "leadlag_uncalibrated"
# What the CRM itself says: stage probability of each open opportunity, and times its amount.
CRM = "crm_pipeline"
METHODS = (MODEL, UNCALIBRATED, "naive", "seasonal_naive", "drift", "exponential_smoothing", "ets", CRM)
# Blocks of origins that share no days, without which a metric has no interval.
LEAST_BLOCKS = 4


@dataclass(frozen=True)
class Judged:
    """One forecast of the sum of some weeks, and what happened.

    Attributes:
        origin: its first day, in days since 1970.
        scale: mean absolute error of naive forecasts of the same length over all weeks before the origin; 0 where they never erred.
        intervals: level -> ends, of the model only, from errors of forecasts that were over at the origin.
    """

    origin: float
    measure: str
    horizon_days: int
    method: str
    expected: float
    actual: float
    scale: float
    intervals: dict[float, tuple[float, float]]


@dataclass(frozen=True)
class Metric:
    """A value with its 95 % interval; ends are None with fewer than LEAST_BLOCKS independent forecasts."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Record:
    """How good the forecasts of a measure, horizon and method were.

    Attributes:
        forecasts: how many are judged; of the model those with an interval may be fewer.
        independent: how many of them share no day.
        wape, bias, mase: metrics. gain: 1 - WAPE / WAPE of the seasonal naive forecasts of the same origins.
        model_gain: 1 - WAPE of the model / that of this method at the same origins; None of the model itself.
        coverage, pinball: level -> share of actual numbers within their interval; mean quantile loss of its ends. Empty for other methods.
    """

    measure: str
    horizon_days: int
    method: str
    forecasts: int
    independent: int
    wape: Metric
    bias: Metric
    mase: Metric
    gain: Metric
    model_gain: Metric | None
    coverage: dict[float, Metric]
    pinball: dict[float, Metric]


def _simple(series: Floats, horizons: Sequence[int]) -> dict[int, dict[str, float]]:
    """Sums of the coming days by methods that see nothing but the daily series, by horizon."""
    weeks = len(series) // 7
    by_week = series[len(series) - weeks * 7 :].reshape(weeks, 7).sum(axis=1)
    longest = max(horizons) // 7
    drift, damped = arrivals.drift(by_week, longest), ets(by_week, longest)
    level = arrivals.smoothed(by_week)
    return {
        days: {
            "naive": float(series[-days:].sum()),
            "seasonal_naive": float(series[len(series) - YEAR :][:days].sum()),
            "drift": float(drift[: days // 7].sum()),
            "exponential_smoothing": days // 7 * level,
            "ets": float(damped[: days // 7].sum()),
        }
        for days in horizons
    }


def _naive_error(series: Floats, days: int) -> float:
    """Mean absolute error of the sum of the last days as a forecast of the next ones, at all weeks before the end."""
    summed = np.r_[0.0, np.cumsum(series)]
    at = np.arange(len(series), 2 * days - 1, -7)
    if len(at) == 0:
        return 0.0
    return float(np.mean(np.abs(summed[at] - 2 * summed[at - days] + summed[at - 2 * days])))


class Backtest:
    """Weekly origins before a day and what is needed to judge forecasts made at them.

    Args:
        end: a whole day, in days since 1970, up to which everything is known. origins: weekly origins, at most.
        pipeline: open opportunities over time, if known.

    Attributes:
        origins: ascending, each with a year of journeys before it and at least the shortest horizon behind it.

    Raises:
        ValueError: there is none.
    """

    def __init__(self, events: Events, end: float, origins: int = 104, pipeline: Pipeline | None = None) -> None:
        self.events, self.end, self.pipeline = events, end, pipeline
        self.first = float(np.floor(events.time.min()))
        self.horizons = [7 * weeks for weeks in WEEKS]
        starts = [one for one in origins_before(events, end, origins)[::-1] if one - self.first >= YEAR]
        self.origins = [one for one in starts if one + min(self.horizons) <= end]
        if not self.origins:
            raise ValueError(
                f"nothing to judge: a back-test needs {YEAR} days of journeys, then {min(self.horizons)} days to compare with"
            )
        days = int(end - self.first)
        self.history = {measure: actual(events, measure, self.first, days).sum(axis=0) for measure in MEASURES}
        wins = self.history["won"].sum()
        self.unit = dict.fromkeys(MEASURES, 1.0)
        if wins > 0 and self.history[WON_AMOUNT].sum() > 0:
            self.unit[WON_AMOUNT] = float(self.history[WON_AMOUNT].sum() / wins)

    def happened(self, measure: str, origin: float, days: int) -> float:
        """What some days from an origin brought."""
        begin = int(origin - self.first)
        return float(self.history[measure][begin : begin + days].sum())

    def run(
        self,
        done: Iterable[Judged] = (),
        keep: Callable[[list[Judged]], object] = len,
        progress: Callable[[list[float]], Iterable[float]] = iter,
    ) -> list[Judged]:
        """Judge the forecasts of all origins, oldest first, as each learns from those before it.

        Args:
            done: of an earlier run that was interrupted: its first origins, whole. keep: gets the rows of each new origin.
            progress: wraps the origins while they are gone through.
        """
        found = list(done)
        seen = {one.origin for one in found}
        past: dict[tuple[str, int], list[Judged]] = {}

        def learn(rows: Iterable[Judged]) -> None:
            for one in rows:
                if one.method == UNCALIBRATED:
                    past.setdefault((one.measure, one.horizon_days), []).append(one)

        learn(found)
        for origin in progress([one for one in self.origins if one not in seen]):
            rows = self._judge(origin, past)
            keep(rows)
            learn(rows)
            found += rows
        return found

    def _judge(self, origin: float, past: dict[tuple[str, int], list[Judged]]) -> list[Judged]:
        made = forecast(self.events, origin, max(self.horizons))
        horizons = [days for days in self.horizons if origin + days <= self.end]
        crm = self.pipeline.expected(origin) if self.pipeline else {}
        found = []
        for measure in MEASURES:
            series = self.history[measure][: int(origin - self.first)]
            simple = _simple(series, horizons)
            unit = self.unit[measure]
            variation = made.variation if measure == WON_AMOUNT else 0.0
            learnt = recalibrate(*self._missed(past.get((measure, WATCHED), []), variation), origin)
            total = made.total(measure).sum(axis=0)
            for days in horizons:
                raw = float(total[:days].sum())
                expected = raw * float(np.exp(learnt.centre))
                origins, missed, _ = self._missed(past.get((measure, days), []), variation)
                over = origins + days <= origin
                age = origin - days - origins[over]
                reaching = spread(missed[over], age, days, float(chance(raw / unit, variation)))
                ends = {UNCALIBRATED: (raw, 1.0), MODEL: (expected, learnt.scale)}
                sums = {MODEL: expected, UNCALIBRATED: raw, **simple[days]}
                if measure in crm:
                    sums[CRM] = crm[measure]
                for method, value in sums.items():
                    intervals = {}
                    if reaching is not None and method in ends:
                        centre, factor = ends[method]
                        intervals = {level: interval(centre, reaching.scaled(factor), level, unit) for level in LEVELS}
                    found.append(
                        Judged(
                            origin,
                            measure,
                            days,
                            method,
                            value,
                            self.happened(measure, origin, days),
                            _naive_error(series, days),
                            intervals,
                        )
                    )
        return found

    def _missed(self, ones: list[Judged], variation: float) -> tuple[Floats, Floats, Floats]:
        """Origins, errors and chance of uncalibrated forecasts of one measure and horizon."""
        origins, true, said = (
            np.array([getattr(one, name) for one in ones], dtype=np.float64)
            for name in ("origin", "actual", "expected")
        )
        unit = self.unit[ones[0].measure] if ones else 1.0
        return origins, errors(true, said, unit), np.asarray(chance(said / unit, variation))


def backtest(
    events: Events,
    end: float,
    origins: int = 104,
    progress: Callable[[list[float]], Iterable[float]] = iter,
    pipeline: Pipeline | None = None,
) -> list[Judged]:
    """Judge forecasts of weekly origins before a day; arguments and errors as of `Backtest`."""
    return Backtest(events, end, origins, pipeline).run(progress=progress)


def _jackknife(
    blocks: Floats, statistic: Callable[[Floats], float], least: float = -np.inf, most: float = np.inf
) -> Metric:
    """A statistic of sums with its interval, leaving out one block of origins at a time.

    Forecasts of neighbouring weeks share most of their days, so blocks as long as the forecasts are left out whole; Student's t with
    one degree less than there are blocks (Kuensch 1989 for the blocks, Tukey for the t).

    Args:
        blocks: (block, sum). least, most: values that the statistic can have.
    """
    whole = blocks.sum(axis=0)
    value, count = statistic(whole), len(blocks)
    if count < LEAST_BLOCKS or not np.isfinite(value):
        return Metric(value)
    left_out = np.array([statistic(whole - block) for block in blocks])
    if not np.isfinite(left_out).all():
        return Metric(value)
    error = float(np.sqrt((count - 1) / count * ((left_out - left_out.mean()) ** 2).sum()))
    reach = float(special.stdtrit(count - 1, 0.975)) * error
    return Metric(value, max(value - reach, least), min(value + reach, most))


def _covered(held: float, independent: int) -> Metric:
    """A share with its Wilson interval, for as many forecasts as are independent."""
    if independent < LEAST_BLOCKS:
        return Metric(held)
    z = float(special.ndtri(0.975))
    centre = (held + z * z / (2 * independent)) / (1 + z * z / independent)
    reach = (
        z / (1 + z * z / independent) * float(np.sqrt(held * (1 - held) / independent + (z / (2 * independent)) ** 2))
    )
    return Metric(held, centre - reach, centre + reach)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def records(judged: list[Judged]) -> list[Record]:
    """The metrics by measure, horizon and method, in the order of METHODS. Of several companies' forecasts together the values hold, the
    intervals do not."""
    groups: dict[tuple[str, int, str], list[Judged]] = {}
    for one in judged:
        groups.setdefault((one.measure, one.horizon_days, one.method), []).append(one)
    found = []
    for measure in MEASURES:
        for days in (7 * weeks for weeks in WEEKS):
            kinds = {method: groups[measure, days, method] for method in METHODS if (measure, days, method) in groups}
            found += [_record(kinds, method) for method in kinds]
    return found


def _beside(others: list[Judged], ones: list[Judged]) -> Floats:
    """What another method said at the same origins; one that knows only some of them says less."""
    if len(others) == len(ones):
        return np.array([one.expected for one in others])
    said = {one.origin: one.expected for one in others}
    return np.array([said[one.origin] for one in ones])


def _record(kinds: dict[str, list[Judged]], method: str) -> Record:
    """Metrics of a method beside the others of the same measure and horizon."""
    ones = kinds[method]
    measure, days = ones[0].measure, ones[0].horizon_days
    first = min(one.origin for one in ones)
    block = np.array([int((one.origin - first) // days) for one in ones])
    true, said, scale = (np.array([getattr(one, name) for one in ones]) for name in ("actual", "expected", "scale"))
    own = np.abs(said - true)
    other = {name: np.abs(_beside(kinds[name], ones) - true) for name in (MODEL, "seasonal_naive")}
    scaled = np.divide(own, scale, out=np.full(len(own), np.nan), where=scale > 0)
    sums = [own, true, said, np.nan_to_num(scaled), scale > 0, other["seasonal_naive"], other[MODEL]]
    by_block: Floats = np.column_stack([np.bincount(block, weights=np.asarray(one, dtype=np.float64)) for one in sums])
    by_block = by_block[np.bincount(block) > 0].astype(np.float64)
    independent = len(by_block)
    cover, pinball = {}, {}
    for level in LEVELS:
        within = [one for one in ones if level in one.intervals]
        if within:
            low, high = (np.array([one.intervals[level][end] for one in within]) for end in (0, 1))
            happened = np.array([one.actual for one in within])
            cover[level] = _covered(
                metrics.coverage(happened, low, high), len({(o.origin - first) // days for o in within})
            )
            tail = (1 - level) / 2
            losses = (metrics.pinball(happened, low, tail), metrics.pinball(happened, high, 1 - tail))
            pinball[level] = Metric(float(np.mean(losses)))
    return Record(
        measure,
        days,
        method,
        len(ones),
        independent,
        _jackknife(by_block, lambda total: _ratio(total[0], total[1]), least=0.0),
        _jackknife(by_block, lambda total: _ratio(total[2], total[1]) - 1, least=-1.0),
        _jackknife(by_block, lambda total: _ratio(total[3], total[4]), least=0.0),
        _jackknife(by_block, lambda total: 1 - _ratio(total[0], total[5]), most=1.0),
        None if method == MODEL else _jackknife(by_block, lambda total: 1 - _ratio(total[6], total[0]), most=1.0),
        cover,
        pinball,
    )
