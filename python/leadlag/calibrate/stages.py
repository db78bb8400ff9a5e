"""Of journeys that enter a stage, how many are won, and how many move on: by stage and segment, from what was known at a time.

Journeys that are still open count for as long as they have been followed, and those that ended otherwise can no longer be won: the
share that is won by an age is the cumulative incidence of Aalen and Johansen (1978). Only stays that are old enough would be simpler, but
leave out the last year.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from leadlag.calibrate.shrinkage import LEVELS, Shrunk, alone, towards_all
from leadlag.forecast.journeys import CENSORED, ENDED, STAGES, WON, Bools, Events, Floats, Ints
from leadlag.forecast.periods import cuts

# Entries into a stage count from so many days back.
MEMORY = 730
# Days within which a journey is won, or moves on. A year is how far it can be judged; beyond it little is won.
WITHIN = (90, 365)
NEXT_STAGE, IS_WON = "next_stage", "won"
# A segment with fewer entries of its own is told so.
FEW = 30


@dataclass(frozen=True)
class Entries:
    """Entries into stages as known at a time, one element each.

    Attributes:
        journey: number of the journey. segment: number of its segment. stage: code of the stage entered.
        start: when, in days. days: from then to what came, or to the time. outcome: WON, ENDED, or CENSORED when neither had come.
    """

    journey: Ints
    segment: Ints
    stage: Ints
    start: Floats
    days: Floats
    outcome: Ints


def entries(events: Events, moment: float) -> Entries:
    """Entries with the outcome of their journeys; a journey that went on after an end has not ended."""
    at = np.flatnonzero(events.known_at(moment))
    journey, code, time = events.journey[at], events.code[at], events.time[at]
    journeys = int(events.journey.max()) + 1
    over, outcome = np.full(journeys, float(moment)), np.full(journeys, CENSORED, dtype=np.int64)
    last = np.ones(len(at), dtype=bool)
    last[:-1] = journey[1:] != journey[:-1]
    for code_of, here in ((ENDED, last & (code == ENDED)), (WON, code == WON)):
        over[journey[here]], outcome[journey[here]] = time[here], code_of
    kept = (code < WON) & (time >= moment - MEMORY)
    journey = journey[kept]
    return Entries(
        journey,
        events.segment[at][kept],
        code[kept],
        time[kept],
        np.maximum(over[journey] - time[kept], 0.0),
        outcome[journey],
    )


def incidence(came: Floats, otherwise: Floats, at_risk: Floats) -> tuple[Floats, Floats]:
    """Cumulative incidence at the end of the days, and its variance.

    Args:
        came, otherwise: events of the two kinds by (group, day). at_risk: those not gone before the day, likewise.

    Returns:
        By group. The variance is that of the delta method (Gaynor et al. 1993, J Am Stat Assoc 88); without censoring it is p (1 - p) / n.
    """
    n = np.maximum(at_risk, 1.0)
    both = came + otherwise
    before = np.cumprod(1.0 - both / n, axis=1)
    before = np.concatenate([np.ones((len(n), 1)), before[:, :-1]], axis=1)
    curve = np.cumsum(before * came / n, axis=1)
    total = curve[:, -1]
    still = total[:, None] - curve
    # Where all leave on one day nothing is still to come.
    left = np.where(n > both, n - both, np.inf)
    variance = (
        still**2 * both / (n * left) + before**2 * came * (n - came) / n**3 - 2 * still * before * came / n**2
    ).sum(axis=1)
    return total, np.maximum(variance, 0.0)


@dataclass(frozen=True)
class Counted:
    """What is known of the entries of groups, by group.

    Attributes:
        entered: entries. came: of them those after which the outcome was seen within the days.
        rate: share, by cumulative incidence. size: entries, all followed to the end, that would tell the share as exactly (Rothman 1978).
    """

    entered: Floats
    came: Floats
    rate: Floats
    size: Floats


def count(groups: Floats, segment: Ints, day: Ints, came: Bools, otherwise: Bools, within: int) -> Counted:
    """Count entries of one stage.

    Args:
        groups: (group, segment), 1 where the segment is in the group. day: whole days to what came, or of following.
        came, otherwise: what came; neither while the entry is open. within: days within which it is to come.
    """
    segments = groups.shape[1]
    capped = np.minimum(day, within)

    def table(chosen: Bools) -> Floats:
        place = segment[chosen] * (within + 1) + capped[chosen]
        counts = np.bincount(place, minlength=segments * (within + 1)).reshape(segments, within + 1)
        return np.asarray(groups @ counts)

    everyone = table(np.ones(len(day), dtype=bool))
    wins, ends = table(came)[:, :within], table(otherwise)[:, :within]
    at_risk = everyone[:, ::-1].cumsum(axis=1)[:, ::-1][:, :within]
    rate, variance = incidence(wins, ends, at_risk)
    entered = everyone.sum(axis=1)
    # With a rate of 0 or 1 there is no variance to go by: what is known are those seen to the end.
    size = wins.sum(axis=1) + ends.sum(axis=1) + everyone[:, within]
    inside = (variance > 0) & (rate > 0) & (rate < 1)
    size[inside] = np.minimum(rate[inside] * (1 - rate[inside]) / variance[inside], entered[inside])
    return Counted(entered, wins.sum(axis=1), rate, size)


@dataclass(frozen=True)
class StageProbability:
    """Probability of an outcome within days of entering a stage, of one segment.

    Attributes:
        entered, came, size, observed: as Counted has them; observed is None without entries.
        probability: drawn towards that of all; None where no entry into the stage has been followed for so many days.
        total_share: how much of it is the rate of all. intervals: level -> ends.
        reason: what makes it weak, or why there is none.
    """

    cut_name: str
    cut_value: str
    stage: int
    outcome: str
    within: int
    entered: int
    came: int
    size: float
    observed: float | None
    probability: float | None
    total_share: float | None
    intervals: dict[float, tuple[float, float]]
    reason: str | None


def stage_probabilities(events: Events, moment: float, within: tuple[int, ...] = WITHIN) -> Iterator[StageProbability]:
    """Of the total, and of each region and product line, drawn towards the total."""
    known, spells = entries(events, moment), events.spells(moment)
    recent = spells.start >= moment - MEMORY
    left, ended = spells.exit != CENSORED, spells.exit == ENDED
    outcomes = {
        IS_WON: (known.stage, known.segment, known.start, known.days, known.outcome == WON, known.outcome == ENDED),
        NEXT_STAGE: tuple(
            values[recent] for values in (spells.stage, spells.segment, spells.start, spells.days, left & ~ended, ended)
        ),
    }
    names = cuts(events.segments)
    for stage in range(len(STAGES)):
        for outcome, (stages, *columns) in outcomes.items():
            segment, start, days, came, otherwise = (values[stages == stage] for values in columns)
            followed = moment - start.min(initial=moment)
            for limit in within:
                groups = np.array([cut for _, _, cut in names])
                counted = count(groups, segment, np.floor(days).astype(np.int64), came, otherwise, limit)
                yield from _rows(names, stage, outcome, limit, counted, followed)


def _rows(
    names: list[tuple[str, str, Floats]], stage: int, outcome: str, within: int, counted: Counted, followed: float
) -> Iterator[StageProbability]:
    shrunk = shrink([name for name, _, _ in names], counted)
    for place, (name, value, _) in enumerate(names):
        entered, reason = int(counted.entered[place]), None
        if followed < within:
            reason = f"entries have been followed for {int(followed)} days, {within} are needed"
        elif entered < FEW:
            reason = f"fewer than {FEW} entries" if entered else "no entries yet: what is known of the others"
        said = followed >= within
        ends = {level: (float(shrunk.low[i, place]), float(shrunk.high[i, place])) for i, level in enumerate(LEVELS)}
        yield StageProbability(
            name,
            value,
            stage,
            outcome,
            within,
            entered,
            int(counted.came[place]),
            float(counted.size[place]),
            float(counted.rate[place]) if entered else None,
            float(shrunk.rate[place]) if said else None,
            float(shrunk.parent_share[place]) if said else None,
            ends if said else {},
            reason,
        )


def shrink(cut_names: list[str], counted: Counted, intervals: bool = True) -> Shrunk:
    """Rates of groups: the total by itself, the others towards all groups of their cut."""
    won, groups = counted.rate * counted.size, len(cut_names)
    ends = (len(LEVELS), groups if intervals else 0)
    found = Shrunk(*(np.zeros(shape) for shape in (groups, groups, ends, ends)))
    for name in dict.fromkeys(cut_names):
        here = np.array([other == name for other in cut_names])
        # A cut of one group is the total.
        draw = towards_all if np.count_nonzero(here) > 1 else alone
        part = draw(won[here], counted.size[here], intervals)
        found.rate[here], found.parent_share[here] = part.rate, part.parent_share
        if intervals:
            found.low[:, here], found.high[:, here] = part.low, part.high
    return found
