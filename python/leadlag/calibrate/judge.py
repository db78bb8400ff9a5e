"""Probabilities that would have been said at earlier origins, beside what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from leadlag.calibrate.chances import Open, open_journeys, too_little
from leadlag.calibrate.crm import Percentages
from leadlag.calibrate.maps import Map, learn, mapped, no_map
from leadlag.calibrate.quality import log_losses
from leadlag.calibrate.stages import WITHIN, count, entries, shrink
from leadlag.forecast.journeys import ENDED, STAGES, WON, Bools, Events, Floats, Ints
from leadlag.forecast.periods import cuts

ORIGINS, EVERY = 39, 28
# Journeys that are judged, at most; drawn with a fixed seed.
JUDGED_JOURNEYS = 50_000
SEED = 3

JOURNEY, RAW_JOURNEY = "journey_probability", "journey_probability_raw"
STAGE, RAW_STAGE = "stage_probability", "stage_rate"
PERCENTAGE = "crm_percentage"


@dataclass
class Cases:
    """Probabilities said, and what came, one element each.

    Attributes:
        origin: when it was said. until: when it was decided, both in days.
        known: when a win was recorded; -infinity without one.
    """

    probability: Floats = field(default_factory=lambda: np.zeros(0))
    outcome: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))
    journey: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    origin: Floats = field(default_factory=lambda: np.zeros(0))
    until: Floats = field(default_factory=lambda: np.zeros(0))
    known: Floats = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.probability)

    def add(self, *columns: Floats | Bools | Ints) -> None:
        """Append cases, columns in the order of the attributes."""
        for name, values in zip(vars(self), columns, strict=True):
            setattr(self, name, np.concatenate([getattr(self, name), values]))


class Record:
    """Cases of models and scopes up to a time, from origins so many days apart.

    Args:
        events: journeys. end: a whole day; what was recorded later has no say.
        within: days, ascending. percentages: of the CRM, where it has any.
        progress: wraps the origins while they are gone through.

    Attributes:
        cases: (model, scope) -> cases. A scope is won_{days}d, then the cut of stages or the source of percentages.
        maps: within days -> the map learnt from all that is known at the end.
        judged: origins at which something could be said.
    """

    def __init__(
        self,
        events: Events,
        end: float,
        origins: int = ORIGINS,
        every: int = EVERY,
        within: tuple[int, ...] = WITHIN,
        percentages: Percentages | None = None,
        progress: Callable[[list[float]], Iterable[float]] = iter,
    ) -> None:
        self.events, self.end, self.within, self.every, self.percentages = events, end, within, every, percentages
        journeys = int(events.journey.max()) + 1
        # When journeys were won and when that was recorded, as far as that is known at the end.
        self._won, self._recorded = np.full(journeys, np.inf), np.full(journeys, np.inf)
        won = events.known_at(end) & (events.code == WON)
        self._won[events.journey[won]], self._recorded[events.journey[won]] = events.time[won], events.known[won]
        self._chosen = np.random.default_rng(SEED).permutation(journeys) < JUDGED_JOURNEYS
        self.cases: dict[tuple[str, str], Cases] = {}
        # What the maps of earlier origins said, whether they were used or not: the next one must earn its place by them.
        self._mapped = {days: Cases() for days in within}
        self.judged = 0
        starts = (end - every * number for number in range(origins, 0, -1))
        for origin in progress([start for start in starts if start + within[0] <= end]):
            said = tuple(days for days in within if too_little(events, origin, days) is None)
            if said:
                self.judged += 1
                self._judge_open(origin, said)
                self._judge_stages(origin, said)
        self.maps = {days: self._map(days, end)[1] for days in within}

    def _add(self, cases: Cases, origin: float, until: Floats, probability: Floats, journey: Ints) -> None:
        """Add what is decided by the end; a win counts whenever it was recorded, also one backdated to before the origin."""
        over = until <= self.end
        journey, until = journey[over], until[over]
        outcome = self._won[journey] < until
        known = np.where(outcome, self._recorded[journey], -np.inf)
        cases.add(probability[over], outcome, journey, np.full(len(journey), origin), until, known)

    def _of(self, model: str, scope: str) -> Cases:
        return self.cases.setdefault((model, scope), Cases())

    def _map(self, days: int, moment: float) -> tuple[Map, Map]:
        """The map learnt from outcomes known at a time, and the one to be used: none when earlier maps have done harm."""
        raw, bent = self._of(RAW_JOURNEY, f"won_{days}d"), self._mapped[days]
        over = raw.until <= moment
        # Wins that were not yet recorded counted as none.
        outcome = raw.outcome[over] & (raw.known[over] < moment)
        learnt = learn(raw.probability[over], outcome, raw.journey[over])
        before, after = (log_losses(cases.probability[over], outcome).sum() for cases in (raw, bent))
        if learnt.kind != "none" and after > before:
            return learnt, no_map("calibration map left out: earlier ones made the log loss worse")
        return learnt, learnt

    def _judge_open(self, origin: float, within: tuple[int, ...]) -> None:
        found = open_journeys(self.events, origin, within, self._chosen)
        maps = {days: self._map(days, origin) for days in within}
        said = mapped(found.won, {days: used for days, (_, used) in maps.items()})
        for days in within:
            raw, until = found.won[days], np.full(len(found.journey), origin + days)
            self._add(self._of(RAW_JOURNEY, f"won_{days}d"), origin, until, raw, found.journey)
            self._add(self._of(JOURNEY, f"won_{days}d"), origin, until, said[days], found.journey)
            self._add(self._mapped[days], origin, until, maps[days][0](raw), found.journey)
            # The CRM does not say by when; the longest time is to its favour.
            if days == self.within[-1]:
                self._judge_crm(found, origin, days, said[days])

    def _judge_crm(self, found: Open, origin: float, days: int, ours: Floats) -> None:
        """The CRM's percentages, and ours of the same journeys."""
        place = np.full(len(self._won), -1)
        place[found.journey] = np.arange(len(found.journey))
        for source, (owner, said) in (self.percentages.at(origin) if self.percentages else {}).items():
            here = place[owner] >= 0
            journey, percentage = owner[here], said[here]
            until = np.full(len(journey), origin + days)
            scope = f"won_{days}d_{source}"
            self._add(self._of(PERCENTAGE, scope), origin, until, percentage, journey)
            self._add(self._of(JOURNEY, scope), origin, until, ours[place[journey]], journey)

    def _judge_stages(self, origin: float, within: tuple[int, ...]) -> None:
        """What an entry into a stage before the next origin was said to be worth."""
        known = entries(self.events, origin)
        code, time = self.events.code, self.events.time
        to_come = (code < WON) & (time >= origin) & (time < min(origin + self.every, self.end))
        to_come &= self.events.known_at(self.end) & self._chosen[self.events.journey]
        names = cuts(self.events.segments)
        groups, cut_names = np.array([cut for _, _, cut in names]), [name for name, _, _ in names]
        for stage in range(len(STAGES)):
            of_stage, new = known.stage == stage, np.flatnonzero(to_come & (code == stage))
            followed = origin - known.start[of_stage].min(initial=origin)
            segment, day = known.segment[of_stage], np.floor(known.days[of_stage]).astype(np.int64)
            won, ended = (known.outcome[of_stage] == outcome for outcome in (WON, ENDED))
            for days in (days for days in within if days <= followed):
                counted = count(groups, segment, day, won, ended, days)
                drawn = shrink(cut_names, counted, intervals=False).rate
                for cut in dict.fromkeys(cut_names):
                    rows = [place for place, name in enumerate(cut_names) if name == cut]
                    row = np.array(rows)[groups[rows][:, self.events.segment[new]].argmax(axis=0)]
                    until, scope = time[new] + days, f"won_{days}d_{cut}"
                    for model, rates in ((STAGE, drawn), (RAW_STAGE, counted.rate)):
                        self._add(self._of(model, scope), origin, until, rates[row], self.events.journey[new])
