"""The forecast of a day: what open journeys will reach, and what journeys still to come will reach, a day and segment.

An open journey reaches a milestone within h days with probability (F(a + h) - F(a)) / S(a): F the share of journeys that reach it by
an age in the stage, S the share that have not left it by any way (Aalen-Johansen). Journeys to come are a series of their own, times F.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from leadlag.forecast import arrivals
from leadlag.forecast.hazard import Course, Hazards, fit, open_counts
from leadlag.forecast.journeys import CODES, ENDED, STAGES, WON, Events, Floats, Ints, Spells

EPOCH = date(1970, 1, 1)
# Rates come from stays that began within this many days; arrivals from as many as there are.
MEMORY = 730
# Days whose new journeys say at which stages journeys begin.
RECENT_ENTRIES = 180
MILESTONES = ("mql", "sql", "opportunity", "won")
# Amount of the wins in base currency.
WON_AMOUNT = "won_amount"
MEASURES = (*MILESTONES, WON_AMOUNT)
# Wins of its own with which a segment's mean amount counts as much as that of all segments.
AMOUNT_SHRINKAGE = 20.0
# Journeys that must have ended for rates to be more than rough, and since a change for it to make older ones obsolete.
LEAST_OUTCOMES = 50
# Days of wins that are looked at for amounts that are missing, and the share of them that is told.
AMOUNT_DAYS, MISSING_AMOUNTS = 90, 0.2


@dataclass(frozen=True)
class Outset:
    """What is known at an origin and follows from it, (segment, day) unless said otherwise.

    Attributes:
        origin: first day forecast, in days since 1970.
        from_open: milestone -> journeys open at the origin that reach it on a day.
        per_arrival: milestone -> chance of a new journey to reach it so many days after it began.
        arrivals: journeys that will begin.
        amount: of a win, (segment,). variation: variance of the amounts of wins over their squared mean.
        outcomes: journeys that have ended and that the rates come from, (segment,).
        reasons: fallbacks that were taken, in words.
    """

    origin: float
    from_open: dict[str, Floats]
    per_arrival: dict[str, Floats]
    arrivals: Floats
    amount: Floats
    variation: float
    outcomes: Ints
    reasons: tuple[str, ...]

    def reached_by(self, arriving: Floats, milestone: str) -> Floats:
        """Journeys that begin on given days, (segment, day), and reach a milestone, by day."""
        horizon = self.arrivals.shape[1]
        pairs = zip(arriving, self.per_arrival[milestone], strict=True)
        return np.array([np.convolve(new, within)[:horizon] for new, within in pairs])


@dataclass(frozen=True)
class DailyForecast:
    """Expected numbers of journeys, and amounts of wins.

    Attributes:
        origin: first day forecast, in days since 1970.
        from_open, from_arrivals: measure -> (segment, day): of journeys open at the origin, and of those to come.
        variation, outcomes, reasons: as in Outset.
    """

    origin: float
    from_open: dict[str, Floats]
    from_arrivals: dict[str, Floats]
    variation: float
    outcomes: Ints
    reasons: tuple[str, ...]

    def total(self, measure: str) -> Floats:
        """Both together, (segment, day)."""
        return self.from_open[measure] + self.from_arrivals[measure]


def forecast(events: Events, origin: float, horizon: int) -> DailyForecast:
    """Numbers of journeys that reach each milestone on each day from the origin, from what was known before it.

    Won amount is wins times the mean amount of a segment's wins: what an opportunity's amount was on an earlier day, few CRMs keep.

    Args:
        origin: a whole day. horizon: days.

    Raises:
        ValueError: nothing was known before the origin.
    """
    known = outset(events, origin, horizon)
    from_open = dict(known.from_open)
    from_arrivals = {milestone: known.reached_by(known.arrivals, milestone) for milestone in MILESTONES}
    for part in (from_open, from_arrivals):
        part[WON_AMOUNT] = known.amount[:, None] * part["won"]
    return DailyForecast(origin, from_open, from_arrivals, known.variation, known.outcomes, known.reasons)


def outset(events: Events, origin: float, horizon: int) -> Outset:
    """What was known before an origin; arguments and errors as of `forecast`."""
    segments = len(events.segments)
    if not events.known_at(origin).any():
        raise ValueError("no journey was known before the origin")
    spells = events.spells(origin)
    since, reasons = _memory(events, spells, origin)
    recent = spells.start >= since[spells.segment]
    kept = Spells(*(values[recent] for values in vars(spells).values()))
    hazards = fit(kept, segments)
    ended = (kept.exit == WON) | (kept.exit == ENDED)
    outcomes = np.bincount(kept.segment[ended], minlength=segments)
    if outcomes.sum() < LEAST_OUTCOMES:
        reasons.append(f"only {outcomes.sum()} journeys have ended: rates are rough")
    waiting = open_counts(spells, segments)
    new, mix, told = _arrivals(events, origin, horizon)
    amount, variation, missing = _amounts(events, origin)

    from_open = {milestone: np.zeros((segments, horizon)) for milestone in MILESTONES}
    per_arrival = {milestone: np.zeros((segments, horizon)) for milestone in MILESTONES}
    for segment in range(segments):
        course = Course(hazards.of(segment), horizon)
        leaving = course.leaving(waiting[segment])
        for milestone in MILESTONES:
            code = CODES[milestone]
            entry = course.from_entry(code)
            from_open[milestone][segment] = np.diff(course.from_open(code, leaving, entry))
            entering = mix[segment] @ entry
            # Who enters during a day has half of it left.
            per_arrival[milestone][segment] = np.diff(np.r_[0.0, (entering[:-1] + entering[1:]) / 2])
    reasons += [*_late(hazards), *told, *missing]
    return Outset(origin, from_open, per_arrival, new, amount, variation, outcomes, tuple(reasons))


def day_of(number: float) -> date:
    """The date of a day since 1970."""
    return EPOCH + timedelta(days=int(number))


def _memory(events: Events, spells: Spells, origin: float) -> tuple[Floats, list[str]]:
    """Day from which a segment's stays tell its rates, (segment,): that of a change of the organisation if enough have ended since."""
    since = np.full(len(events.segments), origin - MEMORY)
    told = []
    for change in sorted(events.changes, key=lambda one: one.day):
        concerned = np.array([change.concerns(segment) for segment in events.segments])
        if not (origin - MEMORY < change.day < origin and concerned.any()):
            continue
        newer = concerned[spells.segment] & (spells.start >= change.day)
        outcomes = np.count_nonzero(newer & ((spells.exit == WON) | (spells.exit == ENDED)))
        if outcomes >= LEAST_OUTCOMES:
            since[concerned] = change.day
            told.append(f"{change.name} on {day_of(change.day)}: rates are of stays that began since")
        else:
            told.append(
                f"{change.name} on {day_of(change.day)}: {outcomes} journeys have ended since, so rates are of before"
            )
    return since, told


def _late(hazards: Hazards) -> list[str]:
    """What was recorded late, in words."""
    ways = (*STAGES, "won", "an end without a win")
    return [
        f"ways from {STAGES[stage]} to {ways[exit_code]} are recorded since {day_of(first)} only: earlier days do not count"
        for (stage, exit_code), first in hazards.late.items()
    ]


def _amounts(events: Events, origin: float) -> tuple[Floats, float, list[str]]:
    """Mean amount of a win by segment, drawn towards that of all where there are few; variance over squared mean; fallbacks."""
    won = np.flatnonzero(events.known_at(origin) & (events.code == WON) & (events.time >= origin - MEMORY))
    if len(won) == 0:
        return np.zeros(len(events.segments)), 0.0, []
    wins, amounts = (
        np.bincount(events.segment[won], weights=weights, minlength=len(events.segments))
        for weights in (None, events.amount[won])
    )
    mean = float(events.amount[won].mean())
    variation = float(events.amount[won].var() / mean**2) if mean > 0 else 0.0
    lately = events.amount[won][events.time[won] >= origin - AMOUNT_DAYS]
    without = np.count_nonzero(lately == 0)
    told = []
    if without and without >= MISSING_AMOUNTS * len(lately):
        told.append(f"{without} of {len(lately)} wins of the last {AMOUNT_DAYS} days have no amount in base currency")
    return np.asarray((amounts + AMOUNT_SHRINKAGE * mean) / (wins + AMOUNT_SHRINKAGE)), variation, told


def _arrivals(events: Events, origin: float, horizon: int) -> tuple[Floats, Floats, list[str]]:
    """New journeys (segment, day), the stages they begin with (segment, stage), and fallbacks."""
    segments = len(events.segments)
    first = events.entries(origin)
    days = np.floor(events.time[first]).astype(np.int64)
    begin, end = int(days.min()), int(origin)
    counts = np.zeros((segments, end - begin))
    np.add.at(counts, (events.segment[first], days - begin), 1)
    all_counts, gaps = arrivals.filled(counts.sum(axis=0))
    told = [
        f"no journey began from {day_of(begin + gap)} to {day_of(begin + after - 1)}: "
        + (
            "taken for a gap in the data and filled"
            if after - gap <= arrivals.GAP_LONGEST
            else "too long a gap to fill"
        )
        for gap, after in gaps
    ]
    together, reason = arrivals.daily(all_counts, horizon)
    # Segments share the total as they did lately, so that their sum is the total.
    share = counts[:, -RECENT_ENTRIES:].sum(axis=1) + 1e-9
    new = together[None, :] * (share / share.sum())[:, None]

    mix = np.zeros((segments, WON + 1))
    late = first[days >= end - RECENT_ENTRIES]
    entry = np.minimum(events.code[late], WON + 1)
    forward = entry <= WON
    np.add.at(mix, (events.segment[late][forward], entry[forward]), 1)
    pooled = mix.sum(axis=0) / max(len(late), 1)
    own = np.bincount(events.segment[late], minlength=segments)
    # Twenty journeys of a segment's own count as much as all others together.
    mix = (mix + 20 * pooled) / (own + 20)[:, None]
    return new, mix, told + ([reason] if reason else [])


def actual(events: Events, measure: str, first_day: float, days: int) -> Floats:
    """What happened of a measure, (segment, day), with all that is known now."""
    code = WON if measure == WON_AMOUNT else CODES[measure]
    day = np.floor(events.time - first_day).astype(np.int64)
    here = (events.code == code) & (day >= 0) & (day < days)
    found = np.zeros((len(events.segments), days))
    np.add.at(found, (events.segment[here], day[here]), events.amount[here] if measure == WON_AMOUNT else 1.0)
    return found
