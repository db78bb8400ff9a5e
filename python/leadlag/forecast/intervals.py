"""Intervals from the errors of earlier forecasts, and what is done when those no longer hold.

A forecast made at an earlier origin is judged by what happened, once all of its days are over. Errors are logarithms of ratios. Their
spread is a mean of two variances: of past errors, newer ones weighing more, with the weight of as many as are independent, since weekly
forecasts of a quarter share most of their days; and of chance alone, as if counts were Poisson and amounts independent, with the weight of
PRIOR errors. Split conformal intervals, which take the errors as they come, were measured beside this: docs/forecast.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from leadlag.forecast.journeys import Floats

LEVELS = (0.8, 0.95)
# Completed forecasts without which there is no interval.
LEAST_COMPLETED = 4
# Days in which the weight of an error halves.
HALF_LIFE = 182.0
# Errors that the variance of chance alone weighs as much as.
PRIOR = 2.0


def errors(actual: Floats, forecast: Floats, unit: float = 1.0) -> Floats:
    """Logarithms of ratios, half a unit (one journey, or the amount of one) added to both so that none is infinite."""
    return np.asarray(np.log((np.asarray(actual) + unit / 2) / (np.asarray(forecast) + unit / 2)))


def chance(count: Floats | float, variation: float = 0.0) -> Floats:
    """Standard deviation of the logarithm by chance alone, of a Poisson number or of the sum of so many amounts.

    Args:
        count: expected number of journeys. variation: variance of an amount over its squared mean, 0 for numbers.
    """
    return np.sqrt((1.0 + variation) / np.maximum(np.asarray(count, dtype=np.float64), 0.5))


@dataclass(frozen=True)
class Spread:
    """How far errors reach.

    Attributes:
        deviation: standard deviation of the logarithm. freedom: degrees of freedom with which it is known.
    """

    deviation: float
    freedom: float

    def reach(self, level: float) -> float:
        """Largest size of the share of errors that a level names, by Student's t."""
        return float(special.stdtrit(self.freedom, (1 + level) / 2)) * self.deviation

    def scaled(self, factor: float) -> Spread:
        """The same, so many times as wide."""
        return Spread(self.deviation * factor, self.freedom)


def spread(past: Floats, age: Floats, days: int, by_chance: float, centred: bool = False) -> Spread | None:
    """The spread of the error to expect, or None with too few completed forecasts.

    Squares of overlapping errors are less alike than the errors, and chance is known exactly: the variance has some two degrees of
    freedom for each error that it weighs.

    Args:
        past: `errors` of completed forecasts of the same days ahead, a week apart.
        age: days since each was over. days: how many each is long.
        by_chance: `chance` of the forecast in question.
        centred: around the mean of past errors, not around 0.
    """
    if len(past) < LEAST_COMPLETED:
        return None
    weight = 0.5 ** (np.asarray(age) / HALF_LIFE)
    effective = float(weight.sum() ** 2 / (weight**2).sum())
    independent = 1 + (effective - 1) * min(7 / days, 1.0)
    mean = float(weight @ past / weight.sum()) if centred else 0.0
    variance = float(weight @ (np.asarray(past) - mean) ** 2 / weight.sum())
    whole = independent + PRIOR
    return Spread(math.sqrt((independent * variance + PRIOR * by_chance**2) / whole), 2 * whole)


def interval(forecast: float, expected: Spread, level: float, unit: float = 1.0) -> tuple[float, float]:
    """Low and high end of what may happen.

    Args:
        forecast: expected number. expected: spread of its error.
        level: share of forecasts whose actual number shall lie within, such as 0.8. unit: as in `errors`.
    """
    reach = expected.reach(level)
    low, high = ((forecast + unit / 2) * math.exp(sign * reach) - unit / 2 for sign in (-1, 1))
    return max(low, 0.0), max(high, 0.0)


# Length of the forecasts that are watched, in days: long enough to count something, short enough for many independent ones.
WATCHED = 28
# A CUSUM of standardised errors with this allowance signals above this height (Montgomery, Statistical Quality Control, 9.1).
ALLOWANCE, SIGNAL = 0.5, 6.0
# A share of intervals that held which is less probable than this, on either side, signals.
IMPROBABLE = 0.005
# Independent forecasts from which coverage is judged.
LEAST_JUDGED = 8


@dataclass(frozen=True)
class Recalibration:
    """What was found in the independent forecasts of a measure that are over, and what follows for new ones.

    Attributes:
        centre: logarithm to add to what is expected. scale: factor of the spread.
        signal: cusum, coverage, both or none. changed_on: origin at which the newest signal came; NaN without one.
        judged: independent forecasts; of them the 80 % interval held covered, as it was said then, and covered_after with what
            had been learnt at their origin.
        band: numbers between which covered lies by chance.
        error_before, error_after: mean absolute error of the logarithm, likewise.
    """

    centre: float = 0.0
    scale: float = 1.0
    signal: str = "none"
    changed_on: float = math.nan
    judged: int = 0
    covered: int = 0
    covered_after: int = 0
    band: tuple[int, int] = (0, 0)
    error_before: float = math.nan
    error_after: float = math.nan


def recalibrate(origins: Floats, missed: Floats, by_chance: Floats, moment: float) -> Recalibration:
    """Follow the forecasts of WATCHED days that were over at a time, every fourth one, since weekly ones share most of their days.

    A two-sided CUSUM of errors, in units of their spread around their mean, finds a change of the mean; what is expected is then moved by
    the mean error since the change began, drawn towards 0 with the weight of one error. Coverage outside its binomial band rescales the
    spread. Each forecast is judged by what had been learnt before it, so covered_after and error_after are no hindsight.

    Args:
        origins: of forecasts, ascending, a week apart. missed: their `errors`, NaN while not over. by_chance: their `chance`.
    """
    over = np.flatnonzero(origins + WATCHED <= moment)
    chosen = over[::-1][:: WATCHED // 7][::-1]
    errors_: list[float] = []
    deviations: list[Spread] = []
    units: list[float] = []
    when: list[float] = []
    for one in chosen:
        before = origins + WATCHED <= origins[one]
        known = (missed[before], origins[one] - WATCHED - origins[before], WATCHED, float(by_chance[one]))
        deviation, unit = spread(*known), spread(*known, centred=True)
        if deviation is not None and unit is not None:
            errors_.append(float(missed[one]))
            deviations.append(deviation)
            units.append(unit.deviation)
            when.append(float(origins[one]))
    return _follow(errors_, deviations, units, when)


def _follow(
    missed: Sequence[float], deviations: Sequence[Spread], units: Sequence[float], when: Sequence[float]
) -> Recalibration:
    # Scores are in units of the 80 % interval, which reaches so many standard deviations.
    one_sigma = float(special.ndtri(0.9))
    centre, scale, changed_on = 0.0, 1.0, math.nan
    sums, begins = {1: 0.0, -1: 0.0}, {1: 0, -1: 0}
    signals: set[str] = set()
    # Place of the error with which the last change of the mean began.
    change: int | None = None
    window: list[float] = []
    after: list[float] = []
    left: list[float] = []
    for number, (error, deviation, unit) in enumerate(zip(missed, deviations, units, strict=True)):
        score = (error - centre) / (deviation.reach(0.8) * scale)
        after.append(score)
        left.append(abs(error - centre))
        window.append(score)
        for sign, risen_to in sums.items():
            sums[sign] = max(0.0, risen_to + sign * (error - centre) / unit - ALLOWANCE)
            if sums[sign] == 0.0:
                begins[sign] = number + 1
        risen = max(sums, key=lambda sign: sums[sign])
        found = None
        if sums[risen] > SIGNAL:
            found, change = "cusum", begins[risen]
        elif len(window) >= LEAST_JUDGED and _improbable(sum(abs(z) <= 1 for z in window), len(window)):
            found = "coverage"
            scale *= one_sigma * math.sqrt(sum(z * z for z in window) / len(window))
        if change is not None:
            since = missed[change : number + 1]
            centre = sum(since) / (len(since) + 1)
        if found:
            signals.add(found)
            changed_on = when[number]
            sums, begins, window = {1: 0.0, -1: 0.0}, {1: number + 1, -1: number + 1}, []
    count = len(missed)
    if count == 0:
        return Recalibration()
    chances = special.bdtr(np.arange(count + 1), count, 0.8)
    band = np.searchsorted(chances, [IMPROBABLE, 1 - IMPROBABLE])
    return Recalibration(
        centre,
        scale,
        "both" if len(signals) == 2 else next(iter(signals), "none"),
        changed_on,
        count,
        sum(abs(e) <= d.reach(0.8) for e, d in zip(missed, deviations, strict=True)),
        sum(abs(score) <= 1 for score in after),
        (int(band[0]), int(band[1])),
        float(np.mean(np.abs(missed))),
        float(np.mean(left)),
    )


def _improbable(held: int, count: int) -> bool:
    """Whether so few or so many 80 % intervals hold by chance less than once in 1 / IMPROBABLE."""
    few = special.bdtr(held, count, 0.8)
    many = 1.0 if held == 0 else special.bdtrc(held - 1, count, 0.8)
    return bool(min(few, many) < IMPROBABLE)
