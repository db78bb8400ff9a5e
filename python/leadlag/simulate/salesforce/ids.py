"""Identifiers of Salesforce records, and what all its tables share."""

from __future__ import annotations

from typing import Any

import numpy as np

from leadlag.simulate.arrays import Bools, Ints, pick, salesforce_id, uniform_hash
from leadlag.simulate.journeys import OPPORTUNITY_SLOTS
from leadlag.simulate.plan import Chunk
from leadlag.simulate.world import SOURCES

Tables = dict[str, Any]


def rep_id(rep: Ints) -> Any:
    """User ids."""
    return salesforce_id("005", rep + 1_000)


def lead_id(key: Ints, valid: Bools | None = None) -> Any:
    """Lead ids from person number x LEAD_SLOTS + slot."""
    return salesforce_id("00Q", key, valid)


def deal_id(chunk: Chunk, deal: Ints, valid: Bools | None = None) -> Any:
    """Opportunity ids from positions in the chunk's deals."""
    person = chunk.people.number[chunk.deals.person[deal]]
    return salesforce_id("006", person * OPPORTUNITY_SLOTS + chunk.deals.slot[deal], valid)


def contact_id(chunk: Chunk, person: Ints, valid: Bools | None = None) -> Any:
    """Contact ids from positions of persons."""
    return salesforce_id("003", chunk.people.number[person], valid)


def account_id(chunk: Chunk, company: Ints, valid: Bools | None = None) -> Any:
    """Account ids from positions of companies."""
    return salesforce_id("001", chunk.companies.number[company], valid)


def last_of_group(group: Ints, kept: Bools, groups: int) -> Ints:
    """Position of the last kept row of each group (rows ordered by group and time), -1 without one."""
    last = np.full(groups, -1, dtype=np.int64)
    rows = np.flatnonzero(kept)
    last[group[rows]] = rows
    return last


def owner_of(chunk: Chunk, person: Ints) -> Any:
    """Users who own the leads of persons."""
    return rep_id(chunk.people.sdr[person])


def source_text(chunk: Chunk, person: Ints) -> Any:
    """Lead source as sales people type it; null where nobody recorded one."""
    source = chunk.people.source[person]
    recorded = uniform_hash(chunk.people.number[person], 33) >= 0.03
    return pick([entry.salesforce for entry in SOURCES], source, recorded)


def campaign_id(campaign: Ints, valid: Bools | None = None) -> Any:
    """Campaign ids from positions in the world's campaigns."""
    return salesforce_id("701", np.maximum(campaign, 0) + 100, valid)
