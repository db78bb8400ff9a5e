"""Journeys from stage events: the rules of the policy applied to what the plan knows, not to what the systems say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadlag.simulate.arrays import DAY, NEVER, Ints
from leadlag.simulate.journeys import Events
from leadlag.simulate.settings import INQUIRY, LOST, MIN_GAP_DAYS, WON

_FORWARD = range(INQUIRY, WON + 1)


@dataclass
class Journeys:
    """One value a journey; `milestones` has shape (6, n): first times of inquiry ... won, NEVER when not a milestone."""

    person: Ints
    number: Ints
    entered: Ints
    milestones: Ints
    outcome: Ints
    ended: Ints


@dataclass
class Returns:
    """Re-entries: an event that follows a terminal stage; `fresh` is 1 when it began a new journey."""

    person: Ints
    stage: Ints
    ended: Ints
    returned: Ints
    gap_days: Ints
    fresh: Ints


def walk(events: Events, until: int) -> tuple[Journeys, Returns]:
    """Cut each person's events into journeys and find the milestones.

    Args:
        events: effective stage events in any order.
        until: events later than this are not known yet, milliseconds UTC.

    A terminal stage (won, lost, disqualified, recycled) ends a journey. The next forward event starts another one if it
    comes at least the terminal stage's minimum gap later; otherwise the journey goes on. A milestone is the first event
    of a stage unless a higher forward stage came before it.
    """
    known = events.time <= until
    person, time, stage = events.person[known], events.time[known], events.stage[known]
    order = np.lexsort((stage, time, person))
    person, time, stage = person[order], time[order], stage[order]
    rows = len(person)
    if rows == 0:
        none = np.zeros(0, dtype=np.int64)
        empty = np.zeros((len(_FORWARD), 0), dtype=np.int64)
        return Journeys(none, none, none, empty, none, none), Returns(none, none, none, none, none, none)

    gap = np.full(10, NEVER, dtype=np.int64)
    for terminal, days in MIN_GAP_DAYS.items():
        gap[terminal] = days * DAY
    first = np.r_[True, person[1:] != person[:-1]]
    previous = np.r_[0, stage[:-1]]
    pause = time - np.r_[0, time[:-1]]
    returning = ~first & (stage < WON) & (previous >= WON)
    fresh = returning & (pause >= gap[previous])
    begins = first | fresh
    journey = np.cumsum(begins) - 1
    start = np.flatnonzero(begins)
    end = np.r_[start[1:], rows] - 1
    who = person[start]
    first_journey = np.maximum.accumulate(np.where(first[start], np.arange(len(start)), 0))

    # Highest forward stage seen before each event of its journey: journeys are contiguous and ascending, so one running
    # maximum over (journey, stage) does it.
    forward = np.where(stage < LOST, stage, 0)
    packed = journey * 16 + forward
    highest = np.r_[0, np.maximum.accumulate(packed)[:-1]]
    highest = np.where(highest // 16 == journey, highest % 16, 0)
    highest[start] = 0
    milestones = np.full((len(_FORWARD), len(start)), NEVER, dtype=np.int64)
    for level, code in enumerate(_FORWARD):
        at = np.flatnonzero(stage == code)
        where, position = np.unique(journey[at], return_index=True)
        at = at[position]
        in_order = highest[at] <= code
        milestones[level, where[in_order]] = time[at[in_order]]
    final = stage[end]
    journeys = Journeys(
        person=who,
        number=np.arange(len(start)) - first_journey + 1,
        entered=time[start],
        milestones=milestones,
        outcome=np.where(final >= WON, final, 0),
        ended=np.where(final >= WON, time[end], NEVER),
    )
    back = np.flatnonzero(returning)
    returns = Returns(
        person=person[back],
        stage=previous[back],
        ended=time[back - 1],
        returned=time[back],
        gap_days=gap[previous[back]] // DAY,
        fresh=fresh[back].astype(np.int64),
    )
    return journeys, returns
