"""Marketing e-mail: sent, opened, clicked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    Ints,
    constant,
    integers,
    join,
    pick,
    spread,
    synced,
    times,
    uuid,
)
from leadlag.simulate.hubspot.ids import PORTAL
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import Tables
from leadlag.simulate.tables import build
from leadlag.simulate.world import REGIONS, World


@dataclass
class Clicks:
    """Clicks in marketing e-mails: who, when, in which mailing."""

    person: Ints
    time: Ints
    mailing: Ints


NURTURE_STEPS = 4


def render_emails(chunk: Chunk) -> tuple[Tables, Clicks]:
    """Marketing e-mail: sent, opened, clicked."""
    rng = chunk.rng("emails")
    people, mailings = chunk.people, chunk.world.mailings
    who = np.flatnonzero(chunk.marketing_since != NEVER)
    series = np.where(people.nurtured[who], NURTURE_STEPS, 0)
    letters = rng.poisson(2.4, len(who)).astype(np.int64)
    row, position = spread(series + letters)
    person = who[row]
    since = chunk.marketing_since[person]
    step = position < series[row]
    wait = np.array([HOUR, 4 * DAY, 11 * DAY, 20 * DAY], dtype=np.int64)[np.minimum(position, 3)]
    months = (len(mailings) - NURTURE_STEPS) // len(REGIONS)
    sent_month = np.array([m.sent for m in mailings[NURTURE_STEPS :: len(REGIONS)]], dtype=np.int64)
    month = np.searchsorted(sent_month, since + 2 * DAY) + position - series[row]
    letter = NURTURE_STEPS + np.minimum(month, months - 1) * len(REGIONS) + people.region[person]
    sent_at = np.array([m.sent for m in mailings], dtype=np.int64)
    spread_out = (rng.random(len(person)) * 40 * MINUTE).astype(np.int64)
    sent = np.where(step, since + wait + spread_out, sent_at[np.where(step, NURTURE_STEPS, letter)] + spread_out)
    mailing = np.where(step, position, letter)
    exists = step | (month < months)
    appeal = 0.20 + 0.12 / (1.0 + np.exp(-people.interest[person]))
    opened = exists & (rng.random(len(person)) < appeal)
    open_at = (
        sent + np.minimum(np.exp(rng.normal(np.log(3 * HOUR), 1.3, len(person))), 20.0 * DAY).astype(np.int64) + SECOND
    )
    clicked = opened & (rng.random(len(person)) < 0.16)
    click_at = open_at + (15 + rng.random(len(person)) * 90).astype(np.int64) * SECOND

    keys = chunk.row_keys(len(person)) * 4
    email = chunk.names.email.take(pa.array(person))
    tables: Tables = {}
    parts = []
    children: dict[str, tuple[Ints, Any]] = {}
    for kind, (label, chosen, moment) in enumerate(
        (("SENT", exists, sent), ("OPEN", opened, open_at), ("CLICK", clicked, click_at))
    ):
        rows = np.flatnonzero(chosen & chunk.known(moment))
        identifier = uuid(keys[rows] + kind, 301)
        stamps = times(synced(moment[rows]))
        children[label] = (rows, (identifier, stamps))
        caused = kind > 0
        parts.append(
            build(
                "hubspot.email_event",
                len(rows),
                {
                    "id": identifier,
                    "type": constant(label, len(rows), pa.string()),
                    "created": times(moment[rows]),
                    "recipient": email.take(pa.array(rows)),
                    "email_campaign_id": integers(75_310_000 + mailing[rows]),
                    "sent_by_id": uuid(keys[rows], 301) if caused else None,
                    "sent_by_created": times(sent[rows]) if caused else None,
                    "filtered_event": constant(False, len(rows), pa.bool_()),
                    "app_id": constant(2286, len(rows), pa.int64()),
                    "portal_id": constant(PORTAL, len(rows), pa.int64()),
                    "_fivetran_synced": stamps,
                },
            )
        )
    tables["hubspot.email_event"] = pa.concat_tables(parts)
    rows, (identifier, stamps) = children["SENT"]
    tables["hubspot.email_event_sent"] = build(
        "hubspot.email_event_sent",
        len(rows),
        {
            "id": identifier,
            "from": constant("leadlag <news@leadlag-demo.io>", len(rows), pa.string()),
            "reply_to": constant("news@leadlag-demo.io", len(rows), pa.string()),
            "subject": pick([m.subject for m in mailings], mailing[rows]),
            "_fivetran_synced": stamps,
        },
    )
    rows, (identifier, stamps) = children["OPEN"]
    agents = ["Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X)"]
    tables["hubspot.email_event_open"] = build(
        "hubspot.email_event_open",
        len(rows),
        {
            "id": identifier,
            "user_agent": pick(agents, keys[rows] // 4 % 2),
            "duration": integers(2_000 + keys[rows] % 60_000),
            "_fivetran_synced": stamps,
        },
    )
    rows, (identifier, stamps) = children["CLICK"]
    tables["hubspot.email_event_click"] = build(
        "hubspot.email_event_click",
        len(rows),
        {
            "id": identifier,
            "url": join(
                "https://www.leadlag-demo.io/?utm_source=hs_email&utm_medium=email&utm_campaign=",
                mailing_slug(chunk.world, mailing[rows]),
            ),
            "user_agent": pick(agents, keys[rows] // 4 % 2),
            "_fivetran_synced": stamps,
        },
    )
    rows = np.flatnonzero(clicked)
    return tables, Clicks(person[rows], click_at[rows], mailing[rows])


def mailing_slug(world: World, mailing: Ints) -> Any:
    """utm_campaign of mailings."""
    return pick([m.name.lower().replace(" ", "_") for m in world.mailings], mailing)
