"""Identifiers of HubSpot records, and what all its tables share."""

from __future__ import annotations

import numpy as np

from leadlag.simulate.arrays import Ints
from leadlag.simulate.plan import Chunk
from leadlag.simulate.world import NA

CONTACT_SLOTS = 4
PORTAL = 4_727_653


def contact_number(person_number: Ints, slot: Ints | int = 0) -> Ints:
    """HubSpot contact ids of persons."""
    return np.asarray(51_000_000 + person_number * CONTACT_SLOTS + slot, dtype=np.int64)


def company_number(company: Ints) -> Ints:
    """HubSpot company ids."""
    return 2_100_000_000 + company


def owner_number(rep: Ints) -> Ints:
    """HubSpot owner ids of users."""
    return 40_000_000 + rep * 137


def site_of(chunk: Chunk, person: Ints) -> Ints:
    """0 for the European site, 1 for the American one."""
    return np.asarray(chunk.people.region[person] == NA, dtype=np.int64)
