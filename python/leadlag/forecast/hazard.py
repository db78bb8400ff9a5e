"""Chances to leave a stage, by the age of the stay, and what follows from them: when a journey will reach a milestone.

Leaving for each later stage and ending otherwise are competing risks (Aalen and Johansen 1978): whoever is lost at day 40 cannot be
won at day 50, which a curve that takes losses for censoring forgets. A journey is a semi-Markov process: how long it stays in a stage
depends on the stage and the time in it. Rates are per day, constant within bins of age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy

from leadlag.forecast.journeys import ENDED, STAGES, WON, Floats, Ints, Spells

EXITS = ENDED + 1
# Ages at which bins begin: days, then weeks, then four weeks; the last one has no end.
EDGES = np.r_[np.arange(0, 14), np.arange(14, 126, 7), np.arange(126, 735, 28)]
AGES = 735
_BIN = np.searchsorted(EDGES, np.arange(AGES), side="right") - 1
# Exits that a segment must have of its own to count as much as all segments together.
SHRINKAGE = 30.0
# Of less than this many days at risk, a bin takes the rate of the bin before.
LEAST_EXPOSURE = 50.0
# Exits of a bin in which none was seen: the median of the rate's posterior is then about its maximum likelihood (Kerman 2011).
UNSEEN = 1 / 3
# Exits of a kind that must be missing before the first one for them to have gone unrecorded: chance alone misses so many once in 10,000.
UNRECORDED = 9.2


@dataclass(frozen=True)
class Hazards:
    """Daily rates of leaving.

    Attributes:
        rate: (stage, exit, age in days), of all segments together.
        factor: (segment, stage, exit) by which a segment's rates differ.
        late: (stage, exit) -> day from which exits of the kind were recorded, where that was late.
    """

    rate: Floats
    factor: Floats
    late: dict[tuple[int, int], float]

    def of(self, segment: int) -> Floats:
        """Rates (stage, exit, age) of a segment; all exits of a day together at most 1."""
        rates = self.rate * self.factor[segment][:, :, None]
        total = rates.sum(axis=1, keepdims=True)
        return np.asarray(rates / np.maximum(total, 1.0))


def fit(spells: Spells, segments: int, merged: bool = False) -> Hazards:
    """Rates from stays, open ones censored at their last whole day; a segment's factors drawn towards 1 where it has few exits.

    With D exits where the common rates expect E, the factor is (D + k) / (E + k): the mean of a gamma distribution
    with prior mean 1 and weight k = SHRINKAGE.

    Recording of a kind of exit begins some day. When earlier days lack more exits than chance explains, they are no days without exits:
    stays count from the first one on (left truncation).

    Args:
        merged: take neighbouring bins of age for one where their rates do not differ. A sum over many journeys needs no such smoothing; the
            probability of a single one must neither be 0 because nobody like it has been won yet, nor follow a handful.
    """
    rate = np.zeros((len(STAGES), EXITS, AGES))
    factor = np.ones((segments, len(STAGES), EXITS))
    late: dict[tuple[int, int], float] = {}
    left = ~spells.is_open
    age = np.minimum(np.floor(spells.days), AGES - 1).astype(np.int64)
    # A stay is at risk on the day it ends, too; an open one on its whole days.
    days_at_risk = np.where(left, age + 1, age)
    for stage in range(len(STAGES)):
        here = np.flatnonzero(spells.stage == stage)
        if len(here) == 0:
            continue
        for exit_code in range(EXITS):
            gone = here[spells.exit[here] == exit_code]
            if len(gone) == 0:
                continue
            first = float((spells.start[gone] + spells.days[gone]).min())
            at_risk = _at_risk(segments, spells.segment[here], days_at_risk[here])
            exits = _table(segments, AGES, spells.segment[gone], age[gone])
            since = here[spells.start[here] >= first]
            before = here[spells.start[here] < first]
            if len(since) and len(before) >= UNRECORDED:
                later = gone[spells.start[gone] >= first]
                exits_since = _table(segments, AGES, spells.segment[later], age[later])
                at_risk_since = _at_risk(segments, spells.segment[since], days_at_risk[since])
                unseen = np.minimum(days_at_risk[before], (first - spells.start[before]).astype(np.int64))
                missing = _at_risk(segments, spells.segment[before], unseen)
                rates = _binned(exits_since.sum(axis=0), at_risk_since.sum(axis=0))
                if missing.sum(axis=0) @ rates >= UNRECORDED:
                    late[stage, exit_code] = first
                    at_risk -= missing
            rate[stage, exit_code] = (_merged if merged else _binned)(exits.sum(axis=0), at_risk.sum(axis=0))
            expected = at_risk @ rate[stage, exit_code]
            factor[:, stage, exit_code] = (exits.sum(axis=1) + SHRINKAGE) / (expected + SHRINKAGE)
    return Hazards(rate, factor, late)


def _at_risk(segments: int, segment: Ints, days: Ints) -> Floats:
    """Stays at risk by (segment, age)."""
    ends = _table(segments, AGES + 1, segment, np.minimum(days, AGES))
    return np.asarray(ends[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:])


def _table(height: int, width: int, row: Ints, column: Ints) -> Floats:
    """How often each pair of row and column occurs."""
    return np.bincount(row * width + column, minlength=height * width).reshape(height, width).astype(np.float64)


def _binned(exits: Floats, at_risk: Floats) -> Floats:
    count, exposure = (np.bincount(_BIN, weights=values, minlength=len(EDGES)) for values in (exits, at_risk))
    rates = np.zeros(len(EDGES))
    last = 0.0
    for number in range(len(EDGES)):
        if exposure[number] >= LEAST_EXPOSURE or number == 0:
            last = count[number] / max(exposure[number], LEAST_EXPOSURE)
        rates[number] = last
    return rates[_BIN]


def _merged(exits: Floats, at_risk: Floats) -> Floats:
    """Rates of bins merged, two neighbours at a time, as long as that improves Akaike's criterion of their Poisson counts."""
    count, exposure = (
        np.bincount(_BIN, weights=values, minlength=len(EDGES)).astype(np.float64) for values in (exits, at_risk)
    )
    width = np.bincount(_BIN, minlength=len(EDGES)).astype(np.int64)

    def fitted(events: Floats, time: Floats) -> Floats:
        return np.asarray(xlogy(events, events) - xlogy(events, time))

    while len(count) > 1:
        loss = fitted(count[:-1], exposure[:-1]) + fitted(count[1:], exposure[1:])
        loss -= fitted(count[:-1] + count[1:], exposure[:-1] + exposure[1:])
        # Bins that hardly anybody has reached have no say.
        loss[(exposure[:-1] < LEAST_EXPOSURE) | (exposure[1:] < LEAST_EXPOSURE)] = -1.0
        place = int(loss.argmin())
        if loss[place] > 1.0:
            break
        begins = np.delete(np.arange(len(count)), place + 1)
        count, exposure, width = (np.add.reduceat(values, begins) for values in (count, exposure, width))
    return np.repeat(np.maximum(count, UNSEEN) / np.maximum(exposure, LEAST_EXPOSURE), width)


class Course:
    """What follows from the rates of one segment: when journeys leave their stages and what they reach.

    Args:
        rates: (stage, exit, age), as `Hazards.of` gives.
        horizon: days ahead.
    """

    def __init__(self, rates: Floats, horizon: int) -> None:
        self.horizon = horizon
        # Far ages keep the last rate.
        padded = np.concatenate([rates, np.repeat(rates[:, :, -1:], horizon, axis=2)], axis=2)
        staying = np.cumprod(1.0 - padded.sum(axis=1), axis=1)
        self.staying = np.concatenate([np.ones((len(STAGES), 1)), staying[:, :-1]], axis=1)
        self.density = padded * self.staying[:, None, :]

    def from_entry(self, target: int) -> Floats:
        """Probability to reach a milestone within so many days, from 0, of entering a stage: (stage, days).

        A journey that skips the milestone does not reach it.
        """
        entry = np.zeros((WON + 1, self.horizon + 1))
        entry[target] = 1.0
        for stage in range(target - 1, -1, -1):
            entry[stage] = self._reached(self.density[stage, :, : self.horizon], stage, target, entry)
        return entry

    def leaving(self, waiting: Floats) -> Floats:
        """Expected number of open journeys that leave their stage on each day ahead, (stage, exit, day).

        Args:
            waiting: open journeys (stage, whole days of age).
        """
        found = np.zeros((len(STAGES), WON + 1, self.horizon))
        for stage in np.flatnonzero(waiting.any(axis=1)):
            there = waiting[stage] / np.maximum(self.staying[stage, :AGES], 1e-300)
            for exit_code in range(stage + 1, WON + 1):
                density = self.density[stage, exit_code, : AGES + self.horizon - 1]
                found[stage, exit_code] = np.correlate(density, there, mode="valid")
        return found

    def from_open(self, target: int, leaving: Floats, entry: Floats) -> Floats:
        """Expected number of open journeys that reach a milestone within so many days, from 0.

        Args:
            leaving: what `leaving` gives. entry: what `from_entry` gives for the milestone.
        """
        expected = np.zeros(self.horizon + 1)
        for stage in range(target):
            expected += self._reached(leaving[stage], stage, target, entry)
        return expected

    def by_age(self, target: int, days: int, entry: Floats) -> Floats:
        """Probability to reach a milestone within so many days of a journey that is in a stage and has not left it: (stage, age in days).

        Args:
            days: at most the horizon. entry: what `from_entry` gives for the milestone.
        """
        found = np.zeros((len(STAGES), AGES))
        for stage in range(target):
            for exit_code in range(stage + 1, target + 1):
                leaving = self.density[stage, exit_code, : AGES + days - 1]
                if leaving.any():
                    # Who leaves during a day has half of it left; the later one leaves, the fewer days remain.
                    after = (entry[exit_code, :days] + entry[exit_code, 1 : days + 1]) / 2
                    found[stage] += np.correlate(leaving, after[::-1])
        return np.asarray(np.clip(found / np.maximum(self.staying[:, :AGES], 1e-300), 0.0, 1.0))

    def _reached(self, leaving: Floats, stage: int, target: int, entry: Floats) -> Floats:
        """Reached within so many days, by those who leave a stage (exit, day) for one that leads there."""
        reached = np.zeros(self.horizon)
        for exit_code in range(stage + 1, target + 1):
            # Who leaves during a day has half of it left.
            after = (entry[exit_code, :-1] + entry[exit_code, 1:]) / 2
            reached += np.convolve(leaving[exit_code], after)[: self.horizon]
        return np.concatenate([[0.0], reached])


def open_counts(spells: Spells, segments: int) -> Floats:
    """Open stays by (segment, stage, whole days of age)."""
    counts = np.zeros((segments, len(STAGES), AGES))
    open_ = spells.is_open
    age = np.minimum(np.floor(spells.days[open_]), AGES - 1).astype(np.int64)
    np.add.at(counts, (spells.segment[open_], spells.stage[open_], age), 1.0)
    return counts
