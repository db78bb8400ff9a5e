"""Table campaign_member: trade-show lists and webinars."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import (
    DAY,
    HOUR,
    NEVER,
    SECOND,
    Ints,
    constant,
    dates,
    flags,
    pick,
    salesforce_id,
    synced,
    times,
)
from leadlag.simulate.journeys import LEAD_SLOTS
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import Tables, campaign_id, lead_id
from leadlag.simulate.salesforce.leads import Leads
from leadlag.simulate.tables import build
from leadlag.simulate.world import REGIONS, TRADE_SHOW


def chunk_campaign(chunk: Chunk, person: Ints) -> Ints:
    """The latest trade show of the person's region that had begun when the person came, -1 before the first."""
    campaigns = chunk.world.campaigns
    result = np.full(len(person), -1, dtype=np.int64)
    entered = chunk.people.entered[person]
    for region in range(len(REGIONS)):
        shows = [i for i, c in enumerate(campaigns) if c.kind == "Trade Show" and c.parent >= 0 and c.region == region]
        begins = np.array([campaigns[i].first_day for i in shows], dtype=np.int64) * DAY
        rows = np.flatnonzero((chunk.people.region[person] == region) & (entered != NEVER))
        at = np.searchsorted(begins, entered[rows], side="right") - 1
        result[rows] = np.where(at >= 0, np.array([*shows, -1])[at], -1)
    return result


def render_members(chunk: Chunk, leads: Leads) -> Tables:
    """Table campaign_member: trade-show lists, uploaded days after the show, and webinars."""
    people = chunk.people
    rng = chunk.rng("campaign members")
    first = np.flatnonzero(leads.slot == 0)
    person = leads.person[first]
    show = chunk_campaign(chunk, person)
    visited = (people.source[person] == TRADE_SHOW) & (show >= 0) & (leads.created[first] == people.entered[person])
    campaigns = chunk.world.campaigns
    begun = np.array([c.first_day for c in campaigns], dtype=np.int64) * DAY
    met = begun[show] + rng.integers(0, 3, len(first)) * DAY + 12 * HOUR
    webinars = np.array([i for i, c in enumerate(campaigns) if c.kind == "Webinar" and c.parent >= 0], dtype=np.int64)
    starts = np.array([campaigns[i].first_day for i in webinars], dtype=np.int64) * DAY + 15 * HOUR
    after = np.searchsorted(starts, leads.created[first]) + rng.integers(0, 3, len(first))
    attends = (rng.random(len(first)) < 0.3) & (after < len(webinars)) & (len(webinars) > 0)
    webinar = webinars[np.minimum(after, len(webinars) - 1)] if len(webinars) else np.zeros(len(first), dtype=np.int64)
    when = starts[np.minimum(after, len(webinars) - 1)] if len(webinars) else leads.created[first]

    at = np.r_[np.flatnonzero(visited), np.flatnonzero(attends)]
    campaign = np.r_[show[visited], webinar[attends]]
    responded_at = np.r_[met[visited], when[attends]]
    created = np.r_[leads.created[first][visited] + 5 * SECOND, when[attends] + 2 * HOUR]
    responded = np.r_[np.ones(int(visited.sum()), dtype=np.bool_), rng.random(int(attends.sum())) < 0.6]
    late_list = np.r_[np.ones(int(visited.sum()), dtype=np.bool_), np.zeros(int(attends.sum()), dtype=np.bool_)]
    merged = leads.merged[first[at]]
    rows = np.flatnonzero(chunk.known(created) & (created > 0) & (merged == NEVER))
    who = person[at[rows]]
    key = people.number[who] * LEAD_SLOTS
    member = salesforce_id("00v", key * 4 + np.where(late_list[rows], 0, 1))
    status = np.where(late_list[rows], 0, np.where(responded[rows], 1, 2))
    lead = lead_id(key)
    table = build(
        "salesforce.campaign_member",
        len(rows),
        {
            "id": member,
            "campaign_id": campaign_id(campaign[rows]),
            "lead_id": lead,
            "lead_or_contact_id": lead,
            "status": pick(["Responded", "Attended", "Registered"], status),
            "has_responded": flags(responded[rows]),
            "first_responded_date": dates(responded_at[rows], responded[rows]),
            "created_date": times(created[rows]),
            "is_deleted": constant(False, len(rows), pa.bool_()),
            "_fivetran_synced": times(synced(created[rows])),
        },
    )
    return {"salesforce.campaign_member": table}
