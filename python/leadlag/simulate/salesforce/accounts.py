"""Tables contact and account."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import Ints, constant, integers, join, pick, synced, times, uniform_hash
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import Tables, account_id, contact_id, owner_of, rep_id, source_text
from leadlag.simulate.tables import build
from leadlag.simulate.world import COUNTRIES, INDUSTRIES, PRODUCTS, REGIONS, TITLES


def render_contacts(chunk: Chunk) -> Tables:
    """Tables contact and account."""
    people = chunk.people
    person = np.flatnonzero(chunk.known(chunk.contact_since))
    created = chunk.contact_since[person]
    company = people.company[person]
    contact = {
        "id": contact_id(chunk, person),
        "account_id": account_id(chunk, company),
        "first_name": chunk.names.first.take(pa.array(person)),
        "last_name": chunk.names.last.take(pa.array(person)),
        "name": chunk.names.full.take(pa.array(person)),
        "email": chunk.names.email.take(pa.array(person)),
        "phone": chunk.names.phone.take(pa.array(person)),
        "title": pick(TITLES, people.title[person]),
        "mailing_country": pick([entry.name for entry in COUNTRIES], people.country[person]),
        "lead_source": source_text(chunk, person),
        "owner_id": rep_id(people.ae[person]),
        "is_deleted": constant(False, len(person), pa.bool_()),
        "created_date": times(created),
        "created_by_id": owner_of(chunk, person),
        "last_modified_date": times(created),
        "system_modstamp": times(created),
        "region_c": pick(REGIONS, people.region[person]),
        "product_line_c": pick([line.name for line in PRODUCTS], people.product[person]),
        "_fivetran_synced": times(synced(created)),
    }
    rows = np.flatnonzero(chunk.known(chunk.account_since))
    since = chunk.account_since[rows]
    companies = chunk.companies
    # A few employers belong to a group; the parent is an account that exists already.
    parent = np.maximum(rows - 1, 0)
    has_parent = (uniform_hash(companies.number[rows], 41) < 0.04) & (chunk.account_since[parent] < since)
    account = {
        "id": account_id(chunk, rows),
        "name": chunk.names.company.take(pa.array(rows)),
        "website": join("https://www.", chunk.names.domain.take(pa.array(rows))),
        "industry": pick(INDUSTRIES, companies.industry[rows]),
        "number_of_employees": integers(companies.employees[rows], uniform_hash(companies.number[rows], 42) < 0.9),
        "type": constant("Prospect", len(rows), pa.string()),
        "billing_country": pick([entry.name for entry in COUNTRIES], companies.country[rows]),
        "parent_id": account_id(chunk, parent, has_parent),
        "owner_id": _account_owner(chunk, rows),
        "is_deleted": constant(False, len(rows), pa.bool_()),
        "created_date": times(since),
        "last_modified_date": times(since),
        "system_modstamp": times(since),
        "region_c": pick(REGIONS, companies.region[rows]),
        "_fivetran_synced": times(synced(since)),
    }
    return {
        "salesforce.contact": build("salesforce.contact", len(person), contact),
        "salesforce.account": build("salesforce.account", len(rows), account),
    }


def _account_owner(chunk: Chunk, company: Ints) -> Any:
    team = chunk.world.ae_of_region
    draw = uniform_hash(chunk.companies.number[company], 43)
    owner = np.zeros(len(company), dtype=np.int64)
    for region, members in enumerate(team):
        rows = chunk.companies.region[company] == region
        owner[rows] = members[(draw[rows] * len(members)).astype(np.int64)]
    return rep_id(owner)
