"""The plan: when each person reaches which stage, pass by pass, and what the systems of record will be told.

A *pass* is one approach of a person to the company. A pass that begins at least the policy's minimum gap after a terminal
stage is a new journey; one that begins sooner continues the old journey. Which of the two holds is decided in
`truth.py` from the events alone, by the rules of the policy, never here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from leadlag.simulate.arrays import DAY, HOUR, MINUTE, NEVER, SECOND, Bools, Floats, Ints, choose, sigmoid, stream
from leadlag.simulate.clock import office_time
from leadlag.simulate.people import MARKETING_ONLY, SALES_ONLY, People
from leadlag.simulate.settings import (
    DISQUALIFIED,
    INQUIRY,
    LOST,
    MIN_GAP_DAYS,
    MQL,
    OPPORTUNITY,
    RECYCLED,
    SAL,
    SQL,
    WON,
    Settings,
)
from leadlag.simulate.world import PRODUCTS, World

MAX_PASSES = 4
# Record numbers of one person: leads 0-3 by pass, 4 a duplicate, 5 and 6 merged away, 7 deleted.
LEAD_SLOTS = 8
DUPLICATE_SLOT, CHAIN_SLOTS, DELETED_SLOT = 4, (5, 6), 7
OPPORTUNITY_SLOTS = 8
DELETED_DEAL_SLOT, BACKDATED_SLOT, RENEWAL_SLOT, CORRECTION_SLOT = 4, 5, 6, 7

# Planted effects, log-odds. They are written to truth.parameters for tests of the estimates.
BASE = {"mql": 0.16, "sal": 0.95, "sql": 0.42, "opportunity": 1.22, "won": -1.34}
SCORE_WEIGHT = {"mql": 0.80, "sal": 0.40, "sql": 0.60, "opportunity": 0.35, "won": 0.55}
RESPONSE_EFFECT = -0.32
TRIAL_EFFECT = 0.45
RETURN_SHARE = {RECYCLED: 0.42, LOST: 0.24, DISQUALIFIED: 0.07, WON: 0.16}
EARLY_SHARE, BOUNDARY_SHARE = 0.20, 0.02


@dataclass
class Passes:
    """One value a pass; times are NEVER where the thing does not happen.

    Attributes:
        person: position of the person in the chunk.
        number: 1 for the first approach; 0 for a deal booked before it.
        entry: stage the pass begins with (inquiry, mql, sal; opportunity when a lost deal is reopened).
        marketing: HubSpot knows the person in this pass.
        crm: Salesforce takes part in this pass.
        handed_over: the Salesforce lead is created, reopened or set to marketing-qualified.
        contacted: first call or mail of a seller.
        converted: the Salesforce lead becomes contact, account and opportunity.
        created / qualified / closed: the opportunity's creation, first qualifying stage, and end.
        left: disqualified or recycled as a lead.
        outcome: stage number of the end, 0 while open.
        lead: record number (slot) of the Salesforce lead, -1 without one.
        new_lead: the lead is created in this pass rather than reopened.
        deal: record number (slot) of the opportunity, -1 without one.
        back / again: times of a status set back to accepted and then to qualified once more (planted).
    """

    person: Ints
    number: Ints
    entry: Ints
    marketing: Bools
    crm: Bools
    inquiry: Ints
    mql: Ints
    handed_over: Ints
    contacted: Ints
    sal: Ints
    sql: Ints
    converted: Ints
    created: Ints
    qualified: Ints
    closed: Ints
    left: Ints
    outcome: Ints
    lead: Ints
    new_lead: Bools
    deal: Ints
    back: Ints
    again: Ints

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: Ints | Bools) -> Passes:
        """The given passes."""
        return Passes(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @property
    def ended(self) -> Ints:
        """End of the pass; NEVER while open."""
        return np.minimum(self.closed, self.left)


def concatenate(parts: list[Passes]) -> Passes:
    """All passes of several groups, sorted by person and number."""
    joined = Passes(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Passes)})
    return joined.take(np.lexsort((joined.number, joined.person)))


@dataclass
class _State:
    """What the systems hold about each person between passes."""

    marketing: Bools
    crm: Bools
    lead: Ints
    lead_open: Bools
    leads: Ints
    deal: Ints
    started: Ints
    entry: Ints


def _delay(rng: np.random.Generator, rows: int, median: int, sigma: float, factor: Floats | float = 1.0) -> Ints:
    """Log-normal waiting time in whole seconds (as milliseconds)."""
    seconds = np.exp(rng.normal(0.0, sigma, rows)) * (median / SECOND) * factor
    return np.asarray(np.minimum(seconds, 900 * 86_400.0), dtype=np.int64) * SECOND


def _later(base: Ints, wait: Ints, happens: Bools) -> Ints:
    return np.where(happens & (base != NEVER), np.where(base == NEVER, 0, base) + wait, NEVER)


class _Planner:
    """Draws one pass for many persons at once."""

    def __init__(self, settings: Settings, world: World, people: People, rng: np.random.Generator) -> None:
        self.settings = settings
        self.world = world
        self.people = people
        self.rng = rng

    def _office(self, who: Ints, moment: Ints, earliest: Ints) -> Ints:
        """Office hours of the person's region, whole seconds, not before `earliest`."""
        valid = moment != NEVER
        shifted = office_time(self.people.zone[who], np.where(valid, moment, 0), self.rng.random(len(who)))
        shifted = np.maximum(shifted, np.where(earliest == NEVER, 0, earliest))
        return np.where(valid, shifted // SECOND * SECOND, NEVER)

    def _reaches(self, who: Ints, step: str, shift: Floats | float = 0.0) -> Bools:
        score = BASE[step] + SCORE_WEIGHT[step] * self.people.score[who] + shift
        return np.asarray(self.rng.random(len(who)) < sigmoid(score))

    def plan(self, who: Ints, number: int, state: _State) -> Passes:
        """Plan pass `number` of the persons `who`, whose state says when and with which stage it begins."""
        people, rng, rows = self.people, self.rng, len(who)
        start, entry = state.started[who], state.entry[who]
        marketing = state.marketing[who]
        known_to_sales = state.crm[who]
        sales_side = people.kind[who] != MARKETING_ONLY
        cycle = np.array([line.cycle for line in PRODUCTS])[people.product[who]]
        reopened_deal = entry == OPPORTUNITY
        sdr, ae = people.sdr[who], people.ae[who]

        inquiry = np.where(entry == INQUIRY, start, NEVER)
        lift = np.where(people.nurtured[who] & marketing, 0.09, -0.09)
        is_mql = (entry == MQL) | ((entry == INQUIRY) & self._reaches(who, "mql", lift))
        eager = rng.random(rows) < 0.35
        wait = np.where(
            eager, _delay(rng, rows, 25 * MINUTE, 0.8), _delay(rng, rows, 5 * DAY, 1.0, np.where(lift > 0, 0.9, 1.1))
        )
        mql = np.where(entry == MQL, start, _later(inquiry, wait + MINUTE, is_mql))
        delay = np.where(marketing & sales_side, people.sync_delay[who], 0)
        handed_over = _later(mql, delay, is_mql)

        hours = _delay(rng, rows, 5 * HOUR, 1.0, self.world.rep_speed[sdr])
        is_sal = (entry == SAL) | (is_mql & self._reaches(who, "sal"))
        answered = self._office(who, _later(handed_over, hours + 3 * MINUTE, is_sal), handed_over + 3 * MINUTE)
        sal = np.where(entry == SAL, start, answered)
        handed_over = np.where(entry == SAL, start, handed_over)
        response = np.where(
            is_sal & (entry != SAL), (np.where(is_sal, answered, 0) - np.where(is_sal, handed_over, 0)), 0
        )
        relative = np.log(np.maximum(response, 10 * MINUTE) / (5 * HOUR))
        before = rng.integers(40, 150, rows) * SECOND
        contacted = np.where((sal != NEVER) & (entry != SAL), sal - before, NEVER)

        trial = np.where(people.trial[who], TRIAL_EFFECT, 0.0)
        skill = self.world.rep_skill
        is_sql = is_sal & self._reaches(who, "sql", RESPONSE_EFFECT * relative + skill[sdr])
        sql = self._office(
            who, _later(sal, _delay(rng, rows, 4 * DAY, 0.9, np.sqrt(cycle)) + 10 * MINUTE, is_sql), sal + 10 * MINUTE
        )
        is_deal = is_sql & self._reaches(who, "opportunity", trial)
        direct = (rng.random(rows) < 0.3) & sales_side
        apart = (rng.random(rows) < 0.05) & sales_side & ~direct
        parked = (rng.random(rows) < 0.07) & sales_side
        step = self._office(who, _later(sql, _delay(rng, rows, 3 * DAY, 0.8) + HOUR, is_deal), sql + 20 * MINUTE)
        converted = np.where(is_deal & sales_side, np.where(direct, sql, step), NEVER)
        created = np.where(is_deal, np.where(sales_side, converted + SECOND, step), NEVER)
        created = np.where(
            is_deal & apart,
            self._office(who, _later(converted, _delay(rng, rows, 2 * DAY, 0.7), is_deal), converted + 10 * MINUTE),
            created,
        )
        qualified = np.where(
            is_deal & parked,
            self._office(who, _later(created, _delay(rng, rows, 6 * DAY, 0.6), is_deal), created + 15 * MINUTE),
            created,
        )
        qualified = np.where(reopened_deal, start, qualified)
        has_deal = is_deal | reopened_deal
        won = has_deal & self._reaches(who, "won", skill[ae] + 0.3 * trial)
        stalled = rng.random(rows) < 0.04
        median = np.where(reopened_deal, 14.0, np.where(won, 44.0, 36.0)) * cycle
        closed = self._office(
            who, _later(qualified, _delay(rng, rows, DAY, 0.6, median) + HOUR, has_deal & ~stalled), qualified + HOUR
        )

        # The CRM is the authority for these outcomes once it knows the person, and it hears nothing before MQL.
        unseen = known_to_sales & marketing & ~is_mql & (entry == INQUIRY)
        outcome, left = self._leave(who, (inquiry, mql, sal, sql), is_deal | reopened_deal | unseen)
        outcome = np.where(closed != NEVER, np.where(won, WON, LOST), outcome)
        # Marketing alone cannot hand over to a CRM that does not take part.
        crm = sales_side & (known_to_sales | is_mql | ~marketing)
        works_lead = crm & ~reopened_deal & (is_mql | (entry == SAL) | ~marketing)
        fresh = works_lead & (~state.lead_open[who] | (rng.random(rows) < 0.25))
        slot = np.where(fresh, state.leads[who], np.where(works_lead, state.lead[who], -1))
        never = np.full(rows, NEVER, dtype=np.int64)
        return Passes(
            person=who,
            number=np.full(rows, number, dtype=np.int64),
            entry=entry,
            marketing=marketing,
            crm=crm,
            inquiry=inquiry,
            mql=mql,
            handed_over=np.where(works_lead | ~sales_side, handed_over, NEVER),
            contacted=contacted,
            sal=sal,
            sql=sql,
            converted=converted,
            created=created,
            qualified=qualified,
            closed=closed,
            left=left,
            outcome=outcome,
            lead=slot,
            new_lead=fresh,
            deal=np.where(is_deal, number - 1, np.where(reopened_deal, state.deal[who], -1)),
            back=never,
            again=never.copy(),
        )

    def _leave(self, who: Ints, reached: tuple[Ints, Ints, Ints, Ints], stays: Bools) -> tuple[Ints, Ints]:
        """Disqualified, recycled or still open as a lead: (outcome, time).

        Args:
            reached: times of inquiry, mql, sal and sql.
            stays: passes that do not end this way.
        """
        rng, rows = self.rng, len(who)
        last = np.zeros(rows, dtype=np.int64)
        since = np.full(rows, NEVER, dtype=np.int64)
        for stage, moment in enumerate(reached, INQUIRY):
            last = np.where(moment != NEVER, stage, last)
            since = np.where(moment != NEVER, moment, since)
        # Chances to be disqualified and recycled by the last stage reached; the rest stays open.
        lost_cause = np.array([0.0, 0.22, 0.36, 0.32, 0.26])[last]
        again = np.array([0.0, 0.08, 0.36, 0.54, 0.60])[last]
        draw = rng.random(rows)
        outcome = np.where(draw < lost_cause, DISQUALIFIED, np.where(draw < lost_cause + again, RECYCLED, 0))
        outcome = np.where(stays, 0, outcome)
        wait = _delay(rng, rows, 8 * DAY, 0.8) + 20 * MINUTE
        left = self._office(who, _later(since, wait, outcome > 0), since + 30 * MINUTE)
        return outcome, left


def _returns(settings: Settings, people: People, passes: Passes, state: _State, rng: np.random.Generator) -> Ints:
    """Choose who comes back after a pass and set when and how; returns the persons."""
    rows = len(passes)
    ended, outcome = passes.ended, passes.outcome
    share = np.zeros(10)
    gaps = np.zeros(10, dtype=np.int64)
    for stage, part in RETURN_SHARE.items():
        share[stage] = part
        gaps[stage] = MIN_GAP_DAYS[stage] * DAY
    back = (outcome > 0) & (rng.random(rows) < share[outcome])
    gap = gaps[outcome]
    draw = rng.random(rows)
    usual = gap + 2 * HOUR + (rng.gamma(1.3, 55.0, rows) * DAY).astype(np.int64)
    early = 2 * DAY + (rng.random(rows) * np.maximum(gap - 3 * DAY, 0)).astype(np.int64)
    # On the boundary to the second: the gap itself starts a journey, one second less does not.
    boundary = gap - np.where(rng.random(rows) < 0.5, SECOND, 0)
    pause = np.where(draw < EARLY_SHARE, early, np.where(draw < EARLY_SHARE + BOUNDARY_SHARE, boundary, usual))
    start = np.where(back, np.where(back, ended, 0) + pause // SECOND * SECOND, NEVER)
    back = back & (start < settings.end)

    who = passes.person
    sales_only = people.kind[who] == SALES_ONLY
    joins = sales_only & ~state.marketing[who] & (rng.random(rows) < 0.3)
    entry = np.array([INQUIRY, MQL, SAL])[choose(rng, [0.66, 0.26, 0.08], rows)]
    entry = np.where((entry == SAL) & (~state.crm[who] | joins), INQUIRY, entry)
    # A person of sales alone comes back through sales, unless through the web site.
    entry = np.where((outcome == LOST) & passes.crm & (rng.random(rows) < 0.15), OPPORTUNITY, entry)
    joins = joins & (entry != OPPORTUNITY)
    chosen = who[back]
    state.started[chosen] = start[back]
    state.entry[chosen] = entry[back]
    state.marketing[who[back & joins]] = True
    return chosen


def plan_passes(settings: Settings, world: World, people: People, chunk: int) -> Passes:
    """Plan all passes of a chunk's persons. Nothing here depends on `until` or on the planted defects."""
    rng = stream(settings.seed, "journeys", chunk)
    count = len(people)
    state = _State(
        marketing=people.kind != SALES_ONLY,
        crm=np.zeros(count, dtype=np.bool_),
        lead=np.full(count, -1, dtype=np.int64),
        lead_open=np.zeros(count, dtype=np.bool_),
        leads=np.zeros(count, dtype=np.int64),
        deal=np.full(count, -1, dtype=np.int64),
        started=people.entered.copy(),
        entry=np.full(count, INQUIRY, dtype=np.int64),
    )
    planner = _Planner(settings, world, people, rng)
    who = np.flatnonzero(people.entered != NEVER)
    parts: list[Passes] = []
    for number in range(1, MAX_PASSES + 1):
        passes = planner.plan(who, number, state)
        parts.append(passes)
        state.crm[who] |= passes.crm
        worked = passes.lead >= 0
        state.lead[who[worked]] = passes.lead[worked]
        state.leads[who[passes.new_lead]] += 1
        state.lead_open[who[worked]] = passes.converted[worked] == NEVER
        with_deal = passes.deal >= 0
        state.deal[who[with_deal]] = passes.deal[with_deal]
        who = _returns(settings, people, passes, state, rng)
        if not len(who):
            break
    return concatenate(parts)


@dataclass
class Events:
    """Stage events that the authority of each stage records: one value an event, times in milliseconds UTC."""

    person: Ints
    time: Ints
    stage: Ints


def stage_events(passes: Passes) -> Events:
    """The events that decide journeys, in no particular order."""
    closing = np.where(passes.outcome == WON, WON, LOST)
    again = np.where(passes.converted != passes.sql, passes.converted, NEVER)
    columns = (
        (passes.inquiry, INQUIRY),
        (passes.mql, MQL),
        (passes.sal, SAL),
        (passes.sql, SQL),
        (passes.back, SAL),
        (passes.again, SQL),
        # A converted lead reads "Closed - Converted", which the policy maps to sql.
        (again, SQL),
        (passes.qualified, OPPORTUNITY),
        (passes.closed, closing),
        (passes.left, passes.outcome),
    )
    moments = np.concatenate([moment for moment, _ in columns])
    stages = np.concatenate([np.broadcast_to(np.asarray(stage), len(passes)) for _, stage in columns]).astype(np.int64)
    persons = np.concatenate([passes.person] * len(columns))
    kept = moments != NEVER
    return Events(persons[kept], moments[kept], stages[kept])
