"""The forecast of a day: what open journeys will reach, and what journeys still to come will reach, a day and segment.

An open journey reaches a milestone within h days with probability (F(a + h) - F(a)) / S(a): F the share of journeys that reach it by
an age in the stage, S the share that have not left it by any way (Aalen-Johansen). Journeys to come are a series of their own, times F.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadlag.forecast import arrivals
from leadlag.forecast.hazard import Course, fit, open_counts
from leadlag.forecast.journeys import CODES, WON, Events, Floats

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


@dataclass(frozen=True)
class DailyForecast:
    """Expected numbers of journeys, and amounts of wins.

    Attributes:
        origin: first day forecast, in days since 1970.
        from_open, from_arrivals: measure -> (segment, day): of journeys open at the origin, and of those to come.
        reasons: fallbacks that were taken, in words.
    """

    origin: float
    from_open: dict[str, Floats]
    from_arrivals: dict[str, Floats]
    reasons: tuple[str, ...]

    def total(self, measure: str) -> Floats:
        """Both together, (segment, day)."""
        return self.from_open[measure] + self.from_arrivals[measure]


def forecast(events: Events, origin: float, horizon: int) -> DailyForecast:
    """Numbers of journeys that reach each milestone on each day from the origin, from what was known before it.

    Won amount is wins times the mean amount of a segment's wins: what an opportunity's amount was on an earlier day, no CRM keeps.

    Args:
        origin: a whole day. horizon: days.

    Raises:
        ValueError: nothing was known before the origin.
    """
    segments = len(events.segments)
    known = events.known_at(origin)
    if not known.any():
        raise ValueError("no journey was known before the origin")
    spells = events.spells(origin)
    recent = spells.start >= origin - MEMORY
    kept = type(spells)(*(values[recent] for values in vars(spells).values()))
    hazards = fit(kept, segments)
    waiting = open_counts(spells, segments)
    new, mix, reasons = _arrivals(events, origin, horizon)

    from_open = {measure: np.zeros((segments, horizon)) for measure in MEASURES}
    from_arrivals = {measure: np.zeros((segments, horizon)) for measure in MEASURES}
    for segment in range(segments):
        course = Course(hazards.of(segment), horizon)
        for measure in MILESTONES:
            code = CODES[measure]
            entry = course.from_entry(code)
            from_open[measure][segment] = np.diff(course.from_open(code, waiting[segment], entry))
            entering = mix[segment] @ entry
            # Who enters during a day has half of it left.
            within = np.diff(np.r_[0.0, (entering[:-1] + entering[1:]) / 2])
            from_arrivals[measure][segment] = np.convolve(new[segment], within)[:horizon]
    each = _mean_amounts(events, origin)[:, None]
    from_open[WON_AMOUNT], from_arrivals[WON_AMOUNT] = each * from_open["won"], each * from_arrivals["won"]
    return DailyForecast(origin, from_open, from_arrivals, tuple(reasons))


def _mean_amounts(events: Events, origin: float) -> Floats:
    """Mean amount of a win by segment, drawn towards that of all where there are few."""
    won = events.known_at(origin) & (events.code == WON) & (events.time >= origin - MEMORY)
    wins, amounts = (
        np.bincount(events.segment[won], weights=weights, minlength=len(events.segments))
        for weights in (None, events.amount[won])
    )
    mean = amounts.sum() / max(wins.sum(), 1)
    return np.asarray((amounts + AMOUNT_SHRINKAGE * mean) / (wins + AMOUNT_SHRINKAGE))


def _arrivals(events: Events, origin: float, horizon: int) -> tuple[Floats, Floats, list[str]]:
    """New journeys (segment, day), the stages they begin with (segment, stage), and fallbacks."""
    segments = len(events.segments)
    first = events.entries(origin)
    days = np.floor(events.time[first]).astype(np.int64)
    begin, end = int(days.min()), int(origin)
    counts = np.zeros((segments, end - begin))
    np.add.at(counts, (events.segment[first], days - begin), 1)
    together, reason = arrivals.daily(counts.sum(axis=0), horizon)
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
    return new, mix, [reason] if reason else []


def actual(events: Events, measure: str, first_day: float, days: int) -> Floats:
    """What happened of a measure, (segment, day), with all that is known now."""
    code = WON if measure == WON_AMOUNT else CODES[measure]
    day = np.floor(events.time - first_day).astype(np.int64)
    here = (events.code == code) & (day >= 0) & (day < days)
    found = np.zeros((len(events.segments), days))
    np.add.at(found, (events.segment[here], day[here]), events.amount[here] if measure == WON_AMOUNT else 1.0)
    return found
