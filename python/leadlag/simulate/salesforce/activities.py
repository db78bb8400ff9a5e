"""What sellers do: the plan for both systems, and Salesforce's tables task and event."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadlag.simulate.arrays import (
    DAY,
    MINUTE,
    NEVER,
    SECOND,
    Bools,
    Floats,
    Ints,
    constant,
    dates,
    flags,
    integers,
    pick,
    salesforce_id,
    spread,
    synced,
    times,
    uniform_hash,
)
from leadlag.simulate.clock import working_day
from leadlag.simulate.journeys import LEAD_SLOTS, OPPORTUNITY_SLOTS
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import Tables, account_id, contact_id, deal_id, lead_id, rep_id
from leadlag.simulate.settings import SAL, WON
from leadlag.simulate.tables import build


@dataclass
class Contacting:
    """Sellers' actions: one value each. `deal` and `lead` are positions, -1 where the action concerns the other."""

    person: Ints
    time: Ints
    kind: Ints
    deal: Ints
    lead_slot: Ints
    owner: Ints
    crm: Bools


CALL, MAIL, MEETING, TO_DO = 0, 1, 2, 3


def plan_activities(chunk: Chunk) -> Contacting:
    """Calls, mails, meetings and to-dos of all passes, in both systems; kinds from 4 on are attempts that failed."""
    rng = chunk.rng("activities")
    passes, people, deals = chunk.passes, chunk.people, chunk.deals
    parts: list[tuple[Ints, Ints, Ints, Ints, Ints, Ints, Bools]] = []

    def add(rows: Ints, moment: Ints, kind: Ints, deal: Ints | None = None) -> None:
        person = passes.person[rows]
        in_deal = deal is not None
        of_deal = deal if deal is not None else np.full(len(rows), -1, dtype=np.int64)
        # After the conversion the contact is the one to talk to.
        lead = np.where((passes.converted[rows] <= moment) | in_deal, -1, passes.lead[rows])
        owner = people.ae[person] if in_deal else people.sdr[person]
        parts.append((person, moment // SECOND * SECOND, kind, of_deal, lead, owner, passes.crm[rows]))

    def between(rows: Ints, begin: Ints, end: Ints, share: Floats) -> Ints:
        """Times in office hours at a share of the way from begin to end."""
        moment = begin + ((end - begin) * share).astype(np.int64)
        return working_day(people.zone[passes.person[rows]], moment, begin, end)

    first = np.flatnonzero(passes.contacted != NEVER)
    add(first, passes.contacted[first], (rng.random(len(first)) < 0.45).astype(np.int64))
    # Attempts that reach nobody, before acceptance or instead of it.
    tried = np.flatnonzero((passes.handed_over != NEVER) & (passes.entry != SAL))
    count = rng.poisson(np.where(passes.contacted[tried] != NEVER, 0.5, 1.1)).astype(np.int64)
    row = tried[spread(count)[0]]
    begin = passes.handed_over[row] + MINUTE
    end = np.minimum(np.minimum(passes.contacted[row], passes.left[row]), begin + 21 * DAY)
    room = end > begin + MINUTE
    row, begin, end = row[room], begin[room], end[room]
    moment = between(row, begin, end, rng.random(len(row)) ** 2)
    add(row, moment, (rng.random(len(row)) < 0.5).astype(np.int64) + 4)

    accepted = np.flatnonzero(passes.sal != NEVER)
    row = accepted[spread(rng.poisson(1.6, len(accepted)).astype(np.int64))[0]]
    begin = passes.sal[row]
    end = np.minimum(np.minimum(passes.sql[row], passes.left[row]), begin + 30 * DAY)
    kind = np.searchsorted([0.4, 0.8, 0.9], rng.random(len(row))).astype(np.int64)
    add(row, between(row, begin, end, rng.random(len(row))), kind)
    met = np.flatnonzero((passes.sql != NEVER) & (passes.sal != NEVER) & (rng.random(len(passes)) < 0.8))
    moment = np.maximum(passes.sql[met] - 50 * MINUTE, passes.sal[met] + MINUTE)
    add(met, moment, np.full(len(met), MEETING, dtype=np.int64))

    working = np.flatnonzero(passes.qualified != NEVER)
    key = deals.person * OPPORTUNITY_SLOTS + deals.slot
    order = np.argsort(key)
    deal = order[np.searchsorted(key[order], passes.person[working] * OPPORTUNITY_SLOTS + passes.deal[working])]
    begin = passes.qualified[working]
    end = np.minimum(passes.closed[working], begin + 120 * DAY)
    # Deals that are worked on are won more often than those left alone.
    at = spread(rng.poisson(np.where(passes.outcome[working] == WON, 5.5, 3.6)).astype(np.int64))[0]
    kind = np.searchsorted([0.3, 0.7, 0.93], rng.random(len(at))).astype(np.int64)
    add(working[at], between(working[at], begin[at], end[at], rng.random(len(at))), kind, deal[at])
    columns = [np.concatenate([part[i] for part in parts]) for i in range(7)]
    return Contacting(*columns)


def render_activities(chunk: Chunk, acts: Contacting) -> Tables:
    """Tables task and event. Sellers log what they did: a row is created when the call or meeting is over."""
    keys = chunk.row_keys(len(acts.person))
    people = chunk.people
    missed = acts.kind >= 4
    kind = acts.kind % 4
    length = 60 + (uniform_hash(keys, 51) * 1500).astype(np.int64)
    tables: Tables = {}
    # To-dos stay open: half of what sellers plan is never ticked off.
    recorded = acts.time + np.where(kind == CALL, length * SECOND, 0) + 40 * SECOND
    rows = np.flatnonzero(acts.crm & (kind != MEETING) & chunk.known(recorded))
    person, what = acts.person[rows], kind[rows]
    who = pc.if_else(
        pa.array(acts.lead_slot[rows] >= 0),
        lead_id(people.number[person] * LEAD_SLOTS + np.maximum(acts.lead_slot[rows], 0)),
        contact_id(chunk, person),
    )
    has_deal = acts.deal[rows] >= 0
    inbound = (what == MAIL) & (uniform_hash(keys[rows], 52) < 0.28) & ~missed[rows]
    open_task = what == TO_DO
    called = what == CALL
    tables["salesforce.task"] = build(
        "salesforce.task",
        len(rows),
        {
            "id": salesforce_id("00T", keys[rows]),
            "who_id": who,
            "what_id": deal_id(chunk, np.maximum(acts.deal[rows], 0), has_deal) if len(chunk.deals.person) else None,
            "account_id": account_id(chunk, people.company[person], has_deal),
            "owner_id": rep_id(acts.owner[rows]),
            "type": pick(["Call", "Email", "", "Other"], what),
            "task_subtype": pick(["Call", "Email", "", "Task"], what),
            "subject": pick(
                ["Call", "Email: your question", "", "Send material", "Re: your offer"], np.where(inbound, 4, what)
            ),
            "status": pick(["Completed", "Not Started"], open_task.astype(np.int64)),
            "is_closed": flags(~open_task),
            "activity_date": dates(acts.time[rows]),
            "completed_date_time": times(acts.time[rows], ~open_task),
            "call_disposition": pick(["Connected", "No Answer"], np.where(called, missed[rows].astype(np.int64), -1)),
            "call_type": pick(["Outbound", "Inbound"], np.where(called, (uniform_hash(keys[rows], 53) < 0.12), -1)),
            "call_duration_in_seconds": integers(np.where(missed[rows], 20, length[rows]), called),
            "created_date": times(recorded[rows]),
            "is_deleted": constant(False, len(rows), pa.bool_()),
            "_fivetran_synced": times(synced(recorded[rows])),
        },
    )
    minutes = 30 + 15 * (length % 3)
    ended = acts.time + minutes * MINUTE
    rows = np.flatnonzero(acts.crm & (kind == MEETING) & chunk.known(ended + 2 * MINUTE))
    person = acts.person[rows]
    has_deal = acts.deal[rows] >= 0
    tables["salesforce.event"] = build(
        "salesforce.event",
        len(rows),
        {
            "id": salesforce_id("00U", keys[rows]),
            "who_id": pc.if_else(
                pa.array(acts.lead_slot[rows] >= 0),
                lead_id(people.number[person] * LEAD_SLOTS + np.maximum(acts.lead_slot[rows], 0)),
                contact_id(chunk, person),
            ),
            "what_id": deal_id(chunk, np.maximum(acts.deal[rows], 0), has_deal) if len(chunk.deals.person) else None,
            "account_id": account_id(chunk, people.company[person], has_deal),
            "owner_id": rep_id(acts.owner[rows]),
            "type": constant("Meeting", len(rows), pa.string()),
            "subject": pick(["Discovery meeting", "Demo"], has_deal.astype(np.int64)),
            "activity_date_time": times(acts.time[rows]),
            "start_date_time": times(acts.time[rows]),
            "end_date_time": times(ended[rows]),
            "duration_in_minutes": integers(minutes[rows]),
            "created_date": times(ended[rows] + 2 * MINUTE),
            "is_deleted": constant(False, len(rows), pa.bool_()),
            "_fivetran_synced": times(synced(ended[rows] + 2 * MINUTE)),
        },
    )
    return tables
