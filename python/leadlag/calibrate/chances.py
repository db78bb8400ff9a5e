"""Probabilities of open journeys to be won, by stage, age in it and segment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leadlag.calibrate.stages import MEMORY, WITHIN
from leadlag.forecast.hazard import AGES, Course, fit
from leadlag.forecast.journeys import ENDED, STAGES, WON, Bools, Events, Floats, Ints

# Ends of journeys that must be known before probabilities are said.
LEAST_OUTCOMES = 50


@dataclass(frozen=True)
class Open:
    """Open journeys as known at a time, one element each.

    Attributes:
        age: whole days in the stage. won: within days -> probability to be won within so many days from the time.
    """

    journey: Ints
    segment: Ints
    stage: Ints
    age: Ints
    won: dict[int, Floats]


def too_little(events: Events, moment: float, within: int) -> str | None:
    """Why nothing can be said at a time about the days within which journeys are to be won, or None."""
    known = events.known_at(moment)
    followed = int(moment - events.time[known].min()) if known.any() else 0
    if followed < within:
        return f"journeys have been followed for {followed} days, {within} are needed"
    code = events.code[known & (events.time >= moment - MEMORY)]
    won, ended = np.count_nonzero(code == WON), np.count_nonzero(code == ENDED)
    if won + ended < LEAST_OUTCOMES:
        return f"{won + ended} journeys of the last two years are known to be won or ended, {LEAST_OUTCOMES} are needed"
    if won == 0 or ended == 0:
        return f"no journey is known to have {'been won' if won == 0 else 'ended otherwise'}"
    return None


def open_journeys(events: Events, moment: float, within: tuple[int, ...] = WITHIN, chosen: Bools | None = None) -> Open:
    """Probabilities of journeys that are open, from the rates at which journeys left the stages (leadlag.forecast.hazard).

    Args:
        within: days, ascending. chosen: by number of the journey, which ones are asked for; all when None.
    """
    spells = events.spells(moment)
    recent = spells.start >= moment - MEMORY
    hazards = fit(
        type(spells)(*(values[recent] for values in vars(spells).values())), len(events.segments), merged=True
    )
    here = spells.is_open if chosen is None else spells.is_open & chosen[spells.journey]
    segment, stage = spells.segment[here], spells.stage[here]
    age = np.floor(spells.days[here]).astype(np.int64)
    table = np.zeros((len(within), len(events.segments), len(STAGES), AGES))
    for number in np.unique(segment):
        course = Course(hazards.of(int(number)), within[-1])
        entry = course.from_entry(WON)
        for place, days in enumerate(within):
            table[place, number] = course.by_age(WON, days, entry)
    cells = segment, stage, np.minimum(age, AGES - 1)
    return Open(
        spells.journey[here], segment, stage, age, {days: table[place][cells] for place, days in enumerate(within)}
    )
