"""Product usage of trial users. Those who use the product more were keener from the start."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    Ints,
    choose,
    integers,
    offset_text,
    pick,
    spread,
    synced,
    times,
    uniform_hash,
    uuid,
)
from leadlag.simulate.plan import Chunk
from leadlag.simulate.tables import build
from leadlag.simulate.web import Rendered

EVENT_NAMES = (
    "trial_started",
    "project_created",
    "data_imported",
    "dashboard_viewed",
    "teammate_invited",
    "report_exported",
    "limit_reached",
)


def render(chunk: Chunk) -> Rendered:
    """Table event: a trial starts an hour after the first inquiry and lasts a few weeks."""
    rng = chunk.rng("product")
    people = chunk.people
    who = np.flatnonzero(people.trial & (people.entered != NEVER) & (chunk.marketing_since != NEVER))
    count = 1 + rng.poisson(7.0 * np.exp(0.4 * people.interest[who])).clip(0, 60).astype(np.int64)
    row, position = spread(count)
    person = who[row]
    begin = people.entered[person] + HOUR
    moment = begin + np.where(position == 0, 0, MINUTE + (rng.exponential(9.0, len(row)) * DAY).astype(np.int64))
    # Milliseconds of the product's clock.
    moment = moment + (uniform_hash(chunk.row_keys(len(row)), 98) * SECOND).astype(np.int64)
    name = np.where(position == 0, 0, 1 + choose(rng, (0.14, 0.16, 0.40, 0.08, 0.15, 0.07), len(row)))
    quantity = np.where(name == 3, 1 + rng.poisson(3.0, len(row)), 1).astype(np.int64)
    keys = chunk.row_keys(len(row))
    slow = (uniform_hash(keys, 99) < 0.004) & chunk.settings.plants("late_arrival")
    received = moment + 2 * SECOND + np.where(slow, 2 * DAY, 0)
    rows = np.flatnonzero(chunk.known(received))
    at = pa.array(person[rows])
    zero: Ints = np.zeros(len(rows), dtype=np.int64)
    table = build(
        "product.event",
        len(rows),
        {
            "event_id": uuid(keys[rows], 361),
            "user_email": chunk.names.email.take(at),
            "account_domain": chunk.names.domain.take(pa.array(people.company[person[rows]])),
            "event_name": pick(EVENT_NAMES, name[rows]),
            "occurred_at": offset_text(moment[rows], zero),
            "received_at": times(received[rows]),
            "quantity": integers(quantity[rows]),
            "_loaded_at": times(synced(received[rows])),
        },
    )
    number = people.number[person[rows]]
    hit = slow[rows]
    identifiers = table.column("event_id").combine_chunks().filter(pa.array(hit))
    chunk.log.add("late_arrival", "product.event", identifiers, "none", number[hit], received[rows][hit])
    return Rendered(table, number, received[rows], keys[rows], len(keys))
