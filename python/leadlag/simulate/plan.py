"""The plan of one chunk of persons, and what both systems have to agree on before they are rendered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    Bools,
    Floats,
    Ints,
    constant,
    integers,
    stream,
    times,
    uniform_hash,
)
from leadlag.simulate.clock import office_time, working_day
from leadlag.simulate.journeys import BACKDATED_SLOT, OPPORTUNITY_SLOTS, RENEWAL_SLOT, Passes, concatenate, plan_passes
from leadlag.simulate.names import Names, make_names
from leadlag.simulate.people import MARKETING_ONLY, SALES_ONLY, SYNCED, Companies, People, make_people
from leadlag.simulate.settings import INQUIRY, OPPORTUNITY, SQL, WON, Settings
from leadlag.simulate.tables import build
from leadlag.simulate.world import COUNTRIES, PRODUCTS, World

# Opportunity stages as Salesforce orders them; the last two are closed.
(PROSPECTING, QUALIFICATION, NEEDS, PROPOSAL, NEGOTIATION, CLOSED_WON, CLOSED_LOST) = range(7)
STAGE_PROBABILITY = np.array([0.10, 0.20, 0.40, 0.65, 0.85, 1.0, 0.0])
PARKED_PROBABILITY = 0.05
NEW_BUSINESS, EXPANSION, RENEWAL = 0, 1, 2


@dataclass
class Deals:
    """Opportunities: one value each. `crm` is False for deals that only HubSpot knows; `won` is the final outcome."""

    person: Ints
    slot: Ints
    crm: Bools
    created: Ints
    closed: Ints
    won: Bools
    kind: Ints
    has_role: Bools
    mirrored: Bools


@dataclass
class DealSteps:
    """History of opportunities, ordered by deal and time: one value a row.

    `amount` is NaN while nobody has entered one; `close` is the expected or actual close date as UTC midnight.
    """

    deal: Ints
    key: Ints
    time: Ints
    stage: Ints
    probability: Floats
    amount: Floats
    close: Ints


@dataclass
class DefectLog:
    """Collects what was planted and when it was recorded."""

    until: int
    tables: list[Any] = field(default_factory=list)

    def add(
        self, defect: str, table: str, identifiers: Any, expected: str, persons: Ints | None, recorded: Ints
    ) -> None:
        """Note planted rows; rows recorded after `until` do not exist and are left out.

        Args:
            identifiers: Arrow strings, or None when the defect is the missing key.
            persons: numbers of the persons concerned, -1 for nobody.
        """
        rows = len(recorded)
        numbers = np.full(rows, -1, dtype=np.int64) if persons is None else persons
        connector, name = table.split(".")
        columns = {
            "defect_class": constant(defect, rows, pa.string()),
            "connector": constant(connector, rows, pa.string()),
            "source_table": constant(name, rows, pa.string()),
            "source_id": identifiers,
            "expected": constant(expected, rows, pa.string()),
            "person_id": integers(numbers, numbers >= 0),
            "recorded_at": times(recorded),
        }
        self.tables.append(build("truth.defect", rows, columns).filter(pa.array(recorded <= self.until)))


@dataclass
class Chunk:
    """Everything that the renderers of one chunk need. Arrays by person unless said otherwise.

    Attributes:
        first: number of the chunk's first person.
        marketing_since: creation of the HubSpot contact, NEVER without one.
        contact_since: creation of the Salesforce contact, NEVER without one.
        account_since: by company: creation of the Salesforce account, NEVER without one.
        picked: persons chosen for each person-level defect class.
    """

    settings: Settings
    world: World
    index: int
    first: int
    people: People
    companies: Companies
    names: Names
    passes: Passes
    picked: dict[str, Bools]
    marketing_since: Ints
    contact_since: Ints
    account_since: Ints
    deals: Deals
    steps: DealSteps
    log: DefectLog

    def rng(self, purpose: str) -> np.random.Generator:
        """Random stream of one purpose in this chunk."""
        return stream(self.settings.seed, purpose, self.index)

    def known(self, recorded: Ints) -> Bools:
        """Rows that are recorded by `until`."""
        return recorded <= self.settings.until

    def row_keys(self, rows: int) -> Ints:
        """Numbers that no other chunk uses, for tables whose rows have no natural number."""
        return (np.int64(self.index + 1) << np.int64(27)) + np.arange(rows, dtype=np.int64)


def _floor(chosen: Bools, eligible: Bools, draw: Floats, least: int) -> Bools:
    """At least `least` eligible rows chosen, those with the smallest draw."""
    if np.count_nonzero(chosen) >= least:
        return chosen
    candidates = np.flatnonzero(eligible)
    result = np.zeros(len(chosen), dtype=np.bool_)
    result[candidates[np.argsort(draw[candidates], kind="stable")[:least]]] = True
    return result


def choose_rows(
    settings: Settings, rng: np.random.Generator, eligible: Bools, rate: float, chunk: int, least: int = 4
) -> Bools:
    """Rows to spoil: a share of the eligible ones, and a few in the first chunk even when the share is tiny."""
    draw = rng.random(len(eligible))
    chosen = eligible & (draw < rate)
    if chunk == 0 and settings.leads >= 500:
        chosen = _floor(chosen, eligible, draw, least)
    return chosen


# Share of eligible persons by class.
_PERSON_RATES = {
    "conversion_before_entry": 0.002,
    "skipped_stage": 0.05,
    "backward_stage": 0.05,
    "merge_chain": 0.006,
    "shared_mailbox": 0.02,
    "junk_email": 0.02,
    "duplicate_record": 0.02,
    "conflicting_status": 0.03,
    "shared_device": 0.008,
}


def _pick_persons(settings: Settings, chunk: int, people: People, passes: Passes) -> dict[str, Bools]:
    """Persons for each person-level class. Nobody is in two classes, so that each effect can be told apart."""
    count = len(people)
    first = np.full(count, -1, dtype=np.int64)
    rows = np.flatnonzero(passes.number == 1)
    first[passes.person[rows]] = rows
    passes_of = np.bincount(passes.person, minlength=count)
    has = first >= 0
    one = passes.take(np.maximum(first, 0))
    any_deal = np.bincount(passes.person, weights=passes.created != NEVER, minlength=count) > 0
    any_sql = np.bincount(passes.person, weights=passes.sql != NEVER, minlength=count) > 0
    single = has & (passes_of == 1)
    follows = np.minimum(np.where(one.sql == one.converted, 0, one.converted), one.left)
    # Entitled to the CRM's word on every stage: a lead exists and HubSpot is not the judge of sales stages.
    lead = has & one.crm & (one.lead == 0)
    eligible = {
        "conversion_before_entry": single
        & (people.kind == SYNCED)
        & ~any_deal
        & ((one.outcome == 0) | one.crm)
        & (one.inquiry > settings.begin + 100 * DAY),
        "skipped_stage": lead & (one.sql != NEVER) & (one.sal != NEVER) & (one.entry == INQUIRY),
        "backward_stage": lead & (one.sql != NEVER) & (follows > one.sql + 2 * DAY),
        "merge_chain": single & ~any_deal & (one.mql != NEVER) & ((one.left == NEVER) | (one.left > one.mql + 2 * DAY)),
        "shared_mailbox": has & (people.kind == SALES_ONLY) & single & ~any_deal,
        "junk_email": has & (people.kind == SALES_ONLY) & single & ~any_deal,
        "duplicate_record": lead & single & ((one.left == NEVER) | (one.left > one.handed_over + 2 * DAY)),
        "conflicting_status": (lead & one.marketing & (one.mql != NEVER) & (single | any_sql))
        | _unready(people, one, single),
        "shared_device": has & (people.kind != SALES_ONLY),
    }
    taken = np.zeros(count, dtype=np.bool_)
    picked: dict[str, Bools] = {}
    for name, rate in _PERSON_RATES.items():
        chosen = choose_rows(settings, stream(settings.seed, "pick", name, chunk), eligible[name] & ~taken, rate, chunk)
        taken |= chosen
        # Chosen even when switched off: the other classes must not change.
        picked[name] = chosen if settings.plants(name) else np.zeros(count, dtype=np.bool_)
    return picked


def _unready(people: People, first: Passes, single: Bools) -> Bools:
    """Persons whom HubSpot still nurtures: nobody but HubSpot may call them marketing-qualified."""
    return np.asarray(single & (people.kind == SYNCED) & (first.mql == NEVER) & (first.outcome == 0))


def _spoil_passes(settings: Settings, chunk: int, passes: Passes, picked: dict[str, Bools]) -> Passes:
    """Skip or set back statuses, and book deals before the inquiry."""
    rng = stream(settings.seed, "spoil passes", chunk)
    first = passes.number == 1
    skip = first & picked["skipped_stage"][passes.person]
    back = first & picked["backward_stage"][passes.person]
    passes.back = np.where(back, np.where(back, passes.sql, 0) + 10 * HOUR, NEVER)
    passes.again = np.where(back, np.where(back, passes.sql, 0) + 31 * HOUR, NEVER)
    # One in three never was accepted before: its acceptance comes too late to be a milestone.
    passes.sal = np.where(skip | (back & (rng.random(len(passes)) < 0.33)), NEVER, passes.sal)

    early = first & picked["conversion_before_entry"][passes.person]
    if not early.any():
        return passes
    booked = passes.take(early)
    rows = len(booked)
    never = np.full(rows, NEVER, dtype=np.int64)
    created = booked.inquiry - 60 * DAY - rng.integers(0, 20 * 86_400, rows) * SECOND
    none = np.full(rows, -1, dtype=np.int64)
    deal = Passes(
        person=booked.person,
        number=np.zeros(rows, dtype=np.int64),
        entry=np.full(rows, SQL, dtype=np.int64),
        marketing=np.zeros(rows, dtype=np.bool_),
        crm=np.ones(rows, dtype=np.bool_),
        inquiry=never,
        mql=never,
        handed_over=never,
        contacted=never,
        sal=never,
        sql=never,
        converted=never,
        created=created,
        qualified=created,
        closed=booked.inquiry - 5 * DAY - rng.integers(0, 20 * 86_400, rows) * SECOND,
        left=never,
        outcome=np.full(rows, WON, dtype=np.int64),
        lead=none,
        new_lead=np.zeros(rows, dtype=np.bool_),
        deal=np.full(rows, BACKDATED_SLOT, dtype=np.int64),
        back=never,
        again=never,
    )
    return concatenate([passes, deal])


def _plan_deals(chunk: int, settings: Settings, people: People, passes: Passes, marketing_since: Ints) -> Deals:
    """Opportunities of the passes, and renewals a year after each first win."""
    opened = passes.take(passes.created != NEVER)
    reopened = passes.take(passes.entry == OPPORTUNITY)
    key = opened.person * OPPORTUNITY_SLOTS + opened.deal
    order = np.argsort(key, kind="stable")
    opened = opened.take(order)
    # A reopened deal ends as its last pass does.
    last_outcome, last_closed = opened.outcome.copy(), opened.closed.copy()
    at = np.searchsorted(key[order], reopened.person * OPPORTUNITY_SLOTS + reopened.deal)
    # Passes are ordered by number, so the last assignment is the last pass.
    last_outcome[at] = reopened.outcome
    last_closed[at] = reopened.closed
    repeat = opened.number > 1
    draw = uniform_hash(people.number[opened.person] * OPPORTUNITY_SLOTS + opened.deal, 61)
    parked = opened.qualified != opened.created
    deals = Deals(
        person=opened.person,
        slot=opened.deal,
        crm=opened.crm,
        created=opened.created,
        closed=last_closed,
        won=last_outcome == WON,
        kind=np.where(repeat & (draw > 0.5), EXPANSION, NEW_BUSINESS),
        has_role=np.ones(len(opened), dtype=np.bool_),
        mirrored=opened.crm & ~parked & (marketing_since[opened.person] < opened.created) & (draw < 0.6),
    )
    rng = stream(settings.seed, "renewals", chunk)
    candidates = np.flatnonzero(opened.crm & (last_outcome == WON) & (last_closed != NEVER) & (opened.deal <= 3))
    _, unique = np.unique(opened.person[candidates], return_index=True)
    base = candidates[unique]
    rows = len(base)
    created = last_closed[base] + 300 * DAY + rng.integers(0, 86_400, rows) * SECOND
    closed = last_closed[base] + 365 * DAY + rng.integers(0, 20 * 86_400, rows) * SECOND
    zone = people.zone[opened.person[base]]
    created = office_time(zone, created, rng.random(rows)) // SECOND * SECOND
    closed = office_time(zone, closed, rng.random(rows)) // SECOND * SECOND
    # Renewals have no contact role, as a billing tool creates them; only ones that stay open do (they must not qualify).
    renewals = Deals(
        person=opened.person[base],
        slot=np.full(rows, RENEWAL_SLOT, dtype=np.int64),
        crm=np.ones(rows, dtype=np.bool_),
        created=created,
        closed=closed,
        won=rng.random(rows) < 0.86,
        kind=np.full(rows, RENEWAL, dtype=np.int64),
        has_role=(closed > settings.end) & (rng.random(rows) < 0.5),
        mirrored=np.zeros(rows, dtype=np.bool_),
    )
    names = list(Deals.__dataclass_fields__)
    return Deals(**{name: np.concatenate([getattr(deals, name), getattr(renewals, name)]) for name in names})


def _plan_steps(
    chunk: int, settings: Settings, people: People, companies: Companies, passes: Passes, deals: Deals, back: Bools
) -> DealSteps:
    """Stage history of every deal.

    Keys of rows: 0 created, 1 qualified after parking, 2-4 needs to negotiation, 5 set back, 6 closed,
    then 8 a reopening and 9 the second end for the pass that reopened, 10 and 11 for another.
    """
    rng = stream(settings.seed, "deal steps", chunk)
    rows = len(deals.person)
    number = np.arange(rows, dtype=np.int64)
    deal_key = deals.person * OPPORTUNITY_SLOTS + deals.slot
    order = np.argsort(deal_key, kind="stable")
    opened = passes.take(passes.created != NEVER)
    at = order[np.searchsorted(deal_key[order], opened.person * OPPORTUNITY_SLOTS + opened.deal)]
    qualified, first_closed, first_won = deals.created.copy(), deals.closed.copy(), deals.won.copy()
    qualified[at] = opened.qualified
    first_closed[at] = opened.closed
    first_won[at] = opened.outcome == WON
    parked = qualified != deals.created

    product = people.product[deals.person]
    cycle = np.array([line.cycle for line in PRODUCTS])[product]
    staff = np.log(companies.employees[people.company[deals.person]] / 100.0)
    typical = np.array([line.amount for line in PRODUCTS])[product] * np.exp(0.16 * staff + rng.normal(0.0, 0.45, rows))
    typical = np.where(
        np.array([c.currency for c in COUNTRIES])[people.country[deals.person]] == 1, typical * 1.12, typical
    )
    first_amount = np.maximum(np.round(typical / 10.0) * 10.0, 500.0)
    first_amount = np.where(rng.random(rows) < 0.04, np.nan, first_amount)
    revised = np.maximum(np.round(typical * np.exp(rng.normal(-0.03, 0.18, rows)) / 10.0) * 10.0, 500.0)
    final = np.where(rng.random(rows) < 0.3, np.round(revised * rng.uniform(0.85, 1.0, rows) / 10.0) * 10.0, revised)
    expected = deals.created + ((30 + 55 * cycle) * DAY).astype(np.int64)

    parts: list[tuple[Ints, Ints, Ints, Ints, Floats, Floats, Ints]] = []

    def step(
        kept: Bools, key: int, moment: Ints, stage: Ints | int, amount: Floats, close: Ints, odds: Floats | None = None
    ) -> None:
        chosen = np.flatnonzero(kept)
        stages = np.broadcast_to(np.asarray(stage, dtype=np.int64), (rows,))[chosen]
        probability = STAGE_PROBABILITY[stages] if odds is None else odds[chosen]
        keys = np.full(len(chosen), key, dtype=np.int64)
        parts.append((number[chosen], keys, moment[chosen], stages, probability, amount[chosen], close[chosen]))

    everything = np.ones(rows, dtype=np.bool_)
    start_stage = np.where(parked | (rng.random(rows) < 0.3), PROSPECTING, QUALIFICATION)
    start_odds = np.where(parked, PARKED_PROBABILITY, STAGE_PROBABILITY[start_stage])
    step(everything, 0, deals.created, start_stage, first_amount, expected, start_odds)
    step(parked, 1, qualified, QUALIFICATION, first_amount, expected)
    length = np.where(first_closed == NEVER, (60 * cycle * DAY).astype(np.int64), first_closed - qualified)
    cuts = np.sort(rng.uniform(0.06, 0.94, (rows, 3)), axis=1)
    zone = people.zone[deals.person]
    drawn = [
        working_day(
            zone, qualified + (length * cuts[:, i]).astype(np.int64), qualified + MINUTE, qualified + length - MINUTE
        )
        for i in range(3)
    ]
    # Two moves may meet at a boundary of a day: keep them seconds apart.
    ordered = np.sort(np.stack(drawn), axis=0) // SECOND * SECOND + np.array([[0], [1], [2]]) * 10 * SECOND
    moves = {}
    alive = everything
    for place, stage in enumerate((NEEDS, PROPOSAL, NEGOTIATION)):
        # Lost deals drop out before the last stages; some winners skip one.
        alive = alive & (first_won | (rng.random(rows) < 0.74))
        done = alive & (rng.random(rows) < 0.9) & (length > 2 * HOUR)
        moves[stage] = np.where(done, ordered[place], NEVER)
    pushed = np.where(moves[NEGOTIATION] == NEVER, expected, np.maximum(expected, moves[NEGOTIATION] + 14 * DAY))
    step(moves[NEEDS] != NEVER, 2, moves[NEEDS], NEEDS, first_amount, expected)
    step(moves[PROPOSAL] != NEVER, 3, moves[PROPOSAL], PROPOSAL, revised, expected)
    step(moves[NEGOTIATION] != NEVER, 4, moves[NEGOTIATION], NEGOTIATION, revised, pushed)
    next_move = np.minimum(moves[NEGOTIATION], first_closed)
    room = (moves[PROPOSAL] != NEVER) & (next_move > np.where(moves[PROPOSAL] == NEVER, 0, moves[PROPOSAL]) + 2 * DAY)
    set_back = back & room & (deals.kind != RENEWAL)
    half = np.where(set_back, np.where(set_back, moves[PROPOSAL], 0) + DAY, NEVER)
    step(set_back, 5, half, NEEDS, revised, expected)
    last_amount = np.where(moves[PROPOSAL] != NEVER, final, np.where(np.isnan(first_amount), final, first_amount))
    closing = np.where(first_won, CLOSED_WON, CLOSED_LOST)
    step(first_closed != NEVER, 6, first_closed, closing, last_amount, first_closed // DAY * DAY)

    reopened = passes.take(passes.entry == OPPORTUNITY)
    position = order[np.searchsorted(deal_key[order], reopened.person * OPPORTUNITY_SLOTS + reopened.deal)]
    for turn in range(2, int(reopened.number.max(initial=1)) + 1):
        chosen = reopened.number == turn
        rows_of = position[chosen]
        again = np.full(rows, NEVER, dtype=np.int64)
        end, won = again.copy(), everything.copy()
        again[rows_of] = reopened.qualified[chosen]
        end[rows_of] = reopened.closed[chosen]
        won[rows_of] = reopened.outcome[chosen] == WON
        until = np.where(again == NEVER, 0, again) + 20 * DAY
        step(again != NEVER, 4 + 2 * turn, again, NEGOTIATION, last_amount, until // DAY * DAY)
        second = np.where(won, CLOSED_WON, CLOSED_LOST)
        step(end != NEVER, 5 + 2 * turn, end, second, last_amount, end // DAY * DAY)

    joined = [np.concatenate([part[column] for part in parts]) for column in range(7)]
    by_time = np.lexsort((joined[1], joined[2], joined[0]))
    deal, key, moment, reached, odds, amount, close = (column[by_time] for column in joined)
    return DealSteps(deal, key, moment, reached, odds, amount, close // DAY * DAY)


def make_chunk(settings: Settings, world: World, index: int, first: int, count: int) -> Chunk:
    """Plan the persons numbered `first` to `first + count - 1`."""
    people, companies = make_people(settings, world, index, first, count)
    passes = plan_passes(settings, world, people, index)
    picked = _pick_persons(settings, index, people, passes)
    passes = _spoil_passes(settings, index, passes, picked)

    started = np.minimum(np.minimum(passes.inquiry, passes.mql), np.minimum(passes.sal, passes.qualified))
    marketing_since = people.subscribed.copy()
    np.minimum.at(marketing_since, passes.person, np.where(passes.marketing, started, NEVER))
    contact_since = np.full(count, NEVER, dtype=np.int64)
    # A deal booked without a lead still needs somebody to talk to.
    booked = np.where(passes.number == 0, np.where(passes.number == 0, passes.created, 0) - MINUTE, NEVER)
    np.minimum.at(contact_since, passes.person, np.minimum(passes.converted, booked))
    account_since = np.full(len(companies.number), NEVER, dtype=np.int64)
    np.minimum.at(account_since, people.company, contact_since)

    deals = _plan_deals(index, settings, people, passes, marketing_since)
    steps = _plan_steps(index, settings, people, companies, passes, deals, picked["backward_stage"][deals.person])
    assert not (deals.crm & (people.kind[deals.person] == MARKETING_ONLY)).any()
    return Chunk(
        settings=settings,
        world=world,
        index=index,
        first=first,
        people=people,
        companies=companies,
        names=make_names(people, companies),
        passes=passes,
        picked=picked,
        marketing_since=marketing_since,
        contact_since=contact_since,
        account_since=account_since,
        deals=deals,
        steps=steps,
        log=DefectLog(settings.until),
    )
