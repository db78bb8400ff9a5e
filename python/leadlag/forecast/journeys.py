"""Journeys as they were known at a time, from the events that had been recorded by then.

Current fields of a CRM know the future of every earlier day; stage events say when each was recorded, so an earlier state is rebuilt
from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Forward stages in their order; a win and any other end of a journey follow them.
STAGES = ("inquiry", "mql", "sal", "sql", "opportunity")
WON, ENDED = len(STAGES), len(STAGES) + 1
CODES = {**{stage: code for code, stage in enumerate(STAGES)}, "won": WON}
CENSORED = -1
# Region or product line of journeys that have none.
NOWHERE = "(none)"


@dataclass(frozen=True)
class Spells:
    """Stays in a stage as they were known at a time, one element each.

    Attributes:
        journey: number of the journey. segment: number of its segment. stage: code of the stage.
        start: when it began, in days. days: how long it has lasted or lasted, in days.
        exit: code of what followed, CENSORED when nothing had.
    """

    journey: Ints
    segment: Ints
    stage: Ints
    start: Floats
    days: Floats
    exit: Ints

    @property
    def is_open(self) -> Bools:
        """Stays that had not ended."""
        return np.asarray(self.exit == CENSORED)


@dataclass(frozen=True)
class Change:
    """An organisational change (seed org_change).

    Attributes:
        day: first day of the new order, in days since 1970. name: of the change. region, product_line: where, * for everywhere.
    """

    day: float
    name: str
    region: str = "*"
    product_line: str = "*"

    def concerns(self, segment: tuple[str, str]) -> bool:
        """Whether a segment, (region, product line), lies in its scope."""
        return self.region in ("*", segment[0]) and self.product_line in ("*", segment[1])


@dataclass(frozen=True)
class Events:
    """Milestones and ends of journeys, ordered by journey and time.

    Attributes:
        journey: number of the journey. segment: number of its segment.
        code: place in STAGES, WON or ENDED.
        time: when it happened, in days since 1970 in the business time zone. known: when it was recorded, likewise.
        amount: in base currency of a win, 0 of everything else and of wins without one.
        segments: names by number, (region, product line).
        changes: organisational changes; one is known from its day on.
    """

    journey: Ints
    segment: Ints
    code: Ints
    time: Floats
    known: Floats
    amount: Floats
    segments: tuple[tuple[str, str], ...]
    changes: tuple[Change, ...] = ()

    def __len__(self) -> int:
        return len(self.journey)

    def known_at(self, moment: float) -> Bools:
        """Events that had happened and were recorded before a time, in days."""
        return np.asarray((self.time < moment) & (self.known < moment))

    def spells(self, moment: float) -> Spells:
        """Stays in a stage as known at a time.

        An end after which the journey goes on, because the person came back before the minimum gap, ends the stay before it.
        """
        at = np.flatnonzero(self.known_at(moment))
        journey, code, time = self.journey[at], self.code[at], self.time[at]
        follows = np.zeros(len(at), dtype=bool)
        follows[:-1] = journey[1:] == journey[:-1]
        until, exit_code = np.full(len(at), moment), np.full(len(at), CENSORED, dtype=np.int64)
        here = np.flatnonzero(follows)
        until[here], exit_code[here] = time[here + 1], code[here + 1]
        in_stage = code < WON
        return Spells(
            journey[in_stage],
            self.segment[at][in_stage],
            code[in_stage],
            time[in_stage],
            (until - time)[in_stage],
            exit_code[in_stage],
        )

    def entries(self, moment: float) -> Ints:
        """Places of the first events of journeys, of those known at a time."""
        at = np.flatnonzero(self.known_at(moment))
        first = np.ones(len(at), dtype=bool)
        first[1:] = self.journey[at][1:] != self.journey[at][:-1]
        return at[first]


def local_days(times: pd.Series, zone: str) -> Floats:
    """UTC timestamps without offset as days since 1970 in a time zone; NaN for missing ones."""
    local = pd.to_datetime(times).dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)
    days = (local - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    return np.asarray(days.to_numpy(dtype=np.float64, na_value=np.nan))


def events_of(rows: pd.DataFrame, zone: str) -> Events:
    """Events of effective stage events; journeys are numbered in the order of their keys.

    Args:
        rows: columns journey_key, stage, occurred_at, recorded_at (UTC), region, product_line and amount; milestones and ends of journeys.
        zone: business time zone.

    Raises:
        ValueError: a stage that journeys do not have.
    """
    unknown = sorted(set(rows["stage"]) - set(CODES) - {"lost", "disqualified", "recycled"})
    if unknown:
        raise ValueError(f"stages {', '.join(map(str, unknown))} are none that a journey can have (seed stage)")
    code = rows["stage"].map(CODES).fillna(ENDED).to_numpy(dtype=np.int64)
    time = local_days(rows["occurred_at"], zone)
    known = np.fmax(local_days(rows["recorded_at"], zone), time)
    journey = pd.factorize(rows["journey_key"], sort=True)[0].astype(np.int64)
    groups = rows.groupby(
        [rows["region"].fillna(NOWHERE).astype(str), rows["product_line"].fillna(NOWHERE).astype(str)], sort=True
    )
    amount = np.where(code == WON, rows["amount"].fillna(0.0).to_numpy(dtype=np.float64), 0.0)
    # What happens at one moment happens in the order of the stages.
    order = np.lexsort((code, time, journey))
    return Events(
        journey[order],
        groups.ngroup().to_numpy(dtype=np.int64)[order],
        code[order],
        time[order],
        known[order],
        amount[order],
        tuple(groups.groups),
    )
