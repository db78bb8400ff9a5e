"""Tables contact, contact_property_history, contact_merge_audit and company."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadlag.simulate.arrays import (
    HOUR,
    NEVER,
    SECOND,
    Bools,
    Ints,
    constant,
    flags,
    integers,
    join,
    pick,
    salesforce_id,
    synced,
    times,
    uniform_hash,
)
from leadlag.simulate.hubspot.ids import CONTACT_SLOTS, company_number, contact_number, owner_number
from leadlag.simulate.journeys import LEAD_SLOTS
from leadlag.simulate.people import ad_consent
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import Tables, last_of_group
from leadlag.simulate.salesforce.leads import Leads, Origin, chains_in_crm, conflicts_in_crm
from leadlag.simulate.settings import DISQUALIFIED, OPPORTUNITY, WON
from leadlag.simulate.tables import build
from leadlag.simulate.world import COUNTRIES, INDUSTRIES, PRODUCTS, REGIONS, SOURCES, TITLES

LIFECYCLE, LEAD_STATUS = 0, 1
PROPERTIES = ("lifecyclestage", "hs_lead_status")
VALUES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "other",
    "NEW",
    "OPEN",
    "IN_PROGRESS",
    "OPEN_DEAL",
    "UNQUALIFIED",
    "BAD_TIMING",
)
# Positions in VALUES: lifecycle stages, then lead statuses.
SUBSCRIBER, LEAD, MQL, SQL, DEAL, CUSTOMER, OTHER = range(7)
S_NEW, S_OPEN, S_PROGRESS, S_DEAL, S_UNQUALIFIED, S_TIMING = range(7, 13)
HISTORY_SOURCES = ("FORM", "AUTOMATION_PLATFORM", "SALESFORCE", "CRM_UI", "DEALS")


@dataclass
class History:
    """Property changes, ordered by contact, property and time."""

    person: Ints
    slot: Ints
    name: Ints
    time: Ints
    value: Ints
    source: Ints


def plan_history(chunk: Chunk) -> History:
    """Lifecycle stage and lead status of every contact over time.

    What marketing decides is written when it happens. What sales decides follows after the sync delay, so that it stays
    within the tolerance of the policy; for persons that only HubSpot knows it is written when it happens.
    """
    people = chunk.people
    passes = chunk.passes.take(chunk.passes.marketing)
    delay = np.where(passes.crm, people.sync_delay[passes.person], 0)
    echo = np.where(passes.crm, 2, 3)
    parts: list[tuple[Ints, Ints, Ints, Ints, Ints, Ints]] = []

    def add(moment: Ints, wait: Ints | int, name: int, value: Ints | int, source: Ints | int, slot: int = 0) -> None:
        rows = np.flatnonzero(moment != NEVER)
        size = len(moment)
        waits, values, sources = (
            np.broadcast_to(np.asarray(x, dtype=np.int64), (size,))[rows] for x in (wait, value, source)
        )
        person = passes.person[rows] if size == len(passes) else rows
        parts.append(
            (
                person,
                np.full(len(rows), slot, dtype=np.int64),
                np.full(len(rows), name, dtype=np.int64),
                moment[rows] + waits,
                values,
                sources,
            )
        )

    again = np.where(passes.number > 1, passes.inquiry, NEVER)
    add(passes.inquiry, 0, LIFECYCLE, LEAD, 0)
    add(again, SECOND, LEAD_STATUS, S_NEW, 1)
    add(passes.mql, 0, LIFECYCLE, MQL, 1)
    add(passes.mql, SECOND, LEAD_STATUS, S_OPEN, 1)
    add(passes.sal, delay, LEAD_STATUS, S_PROGRESS, echo)
    add(passes.sql, delay, LIFECYCLE, SQL, echo)
    opened = np.where(passes.entry == OPPORTUNITY, NEVER, passes.qualified)
    add(opened, delay + SECOND, LIFECYCLE, DEAL, 4)
    add(opened, delay + 2 * SECOND, LEAD_STATUS, S_DEAL, 4)
    add(np.where(passes.outcome == WON, passes.closed, NEVER), delay + SECOND, LIFECYCLE, CUSTOMER, 4)
    bad = passes.outcome == DISQUALIFIED
    add(passes.left, delay, LEAD_STATUS, np.where(bad, S_UNQUALIFIED, S_TIMING), echo)
    add(passes.left, delay + SECOND, LIFECYCLE, np.where(bad, OTHER, SUBSCRIBER), 1)
    early = np.where(people.subscribed < NEVER, people.subscribed, NEVER)
    rows = np.flatnonzero(early != NEVER)
    zero = np.zeros(len(rows), dtype=np.int64)
    parts.append((rows, zero, zero + LIFECYCLE, early[rows], zero + SUBSCRIBER, zero))
    parts.append(_conflicts(chunk))
    parts += _chain_history(chunk)
    columns = [np.concatenate([part[i] for part in parts]) for i in range(6)]
    order = np.lexsort((columns[3], columns[2], columns[1], columns[0]))
    return History(*(column[order] for column in columns))


def _conflicts(chunk: Chunk) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    """HubSpot reports sales-qualified long after Salesforce did, or though Salesforce never did."""
    rng = chunk.rng("conflicts")
    passes = chunk.passes
    here = chunk.picked["conflicting_status"] & ~conflicts_in_crm(chunk)
    rows = np.flatnonzero((passes.number == 1) & here[passes.person])
    sql = passes.sql[rows]
    base = np.where(sql == NEVER, passes.handed_over[rows], sql)
    moment = base + 30 * HOUR + rng.integers(0, 6 * 86_400, len(rows)) * SECOND + 7
    zero = np.zeros(len(rows), dtype=np.int64)
    person = passes.person[rows]
    chunk.log.add(
        "conflicting_status",
        "hubspot.contact_property_history",
        history_key(contact_number(chunk.people.number[person]), zero + LIFECYCLE, moment),
        "status_discrepancy",
        chunk.people.number[person],
        moment,
    )
    return person, zero, zero + LIFECYCLE, moment, zero + SQL, zero + 3


def history_key(contact: Ints, name: Ints, moment: Ints, valid: Bools | None = None) -> Any:
    """`contact_id:name:microseconds`: contact_property_history has no id of its own.

    Args:
        valid: rows that have a timestamp; the others have nothing after the second colon.
    """
    stamp = integers(moment * 1_000, valid).cast(pa.string())
    return join(pa.array(contact).cast(pa.string()), pick(PROPERTIES, name), pc.fill_null(stamp, ""), separator=":")


def _chains(chunk: Chunk) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Persons with merged contacts: (person, created of the two old ones, merge times of the two)."""
    chosen = chunk.picked["merge_chain"] & ~chains_in_crm(chunk.people) & (chunk.marketing_since != NEVER)
    person = np.flatnonzero(chosen)
    rng = chunk.rng("contact chains")
    since = chunk.marketing_since[person]
    first = since + rng.integers(3_600, 5 * 86_400, len(person)) * SECOND
    second = first + rng.integers(3_600, 5 * 86_400, len(person)) * SECOND
    merged = second + rng.integers(86_400, 20 * 86_400, len(person)) * SECOND
    again = merged + rng.integers(3_600, 20 * 86_400, len(person)) * SECOND
    return person, first, second, merged, again


def _chain_history(chunk: Chunk) -> list[tuple[Ints, Ints, Ints, Ints, Ints, Ints]]:
    """The contacts merged away were newsletter readers under other addresses."""
    person, first, second, _, _ = _chains(chunk)
    zero = np.zeros(len(person), dtype=np.int64)
    return [
        (person, zero + 1, zero + LIFECYCLE, first, zero + SUBSCRIBER, zero),
        (person, zero + 2, zero + LIFECYCLE, second, zero + SUBSCRIBER, zero),
    ]


def contact_records(chunk: Chunk) -> tuple[Ints, Ints, Ints]:
    """All HubSpot contacts of the chunk: (person, slot, created). Slots 1 and 2 are merged away later."""
    own = np.flatnonzero(chunk.marketing_since != NEVER)
    chained, first, second, _, _ = _chains(chunk)
    slot = np.repeat([0, 1, 2], [len(own), len(chained), len(chained)]).astype(np.int64)
    return np.r_[own, chained, chained], slot, np.r_[chunk.marketing_since[own], first, second]


def render_contacts(chunk: Chunk, history: History, leads: Leads, origin: Origin) -> Tables:
    """Tables contact, contact_property_history, contact_merge_audit and company."""
    people = chunk.people
    until = chunk.settings.until
    chained, _, _, merged, again = _chains(chunk)
    person, slot, created = contact_records(chunk)
    # The first chained contact goes into the second, the second into the person's own contact.
    gone = np.r_[np.full(len(person) - 2 * len(chained), NEVER, dtype=np.int64), merged, again]
    kept = created <= until
    person, slot, created, gone = person[kept], slot[kept], created[kept], gone[kept]

    known = chunk.known(history.time)
    group = history.person * CONTACT_SLOTS + history.slot
    groups = len(people) * CONTACT_SLOTS
    key = person * CONTACT_SLOTS + slot
    last = {
        name: last_of_group(group, known & (history.name == name), groups)[key] for name in (LIFECYCLE, LEAD_STATUS)
    }
    first_time = {}
    for value in (LEAD, MQL, SQL, DEAL, CUSTOMER):
        moments = np.full(groups, NEVER, dtype=np.int64)
        rows = np.flatnonzero(known & (history.value == value))
        moments[group[rows[::-1]]] = history.time[rows[::-1]]
        first_time[value] = moments[key]
    changed = np.maximum(created, np.where(last[0] >= 0, history.time[last[0]], 0))
    changed = np.maximum(changed, np.where(last[1] >= 0, history.time[last[1]], 0))
    is_gone = gone <= until
    changed = np.maximum(changed, np.where(is_gone, gone, 0))

    number = people.number[person]
    identifier = contact_number(number, slot)
    merged_ids = _merged_ids(chunk, person, slot, chained, merged, again)
    lead_known = np.full(len(people), NEVER, dtype=np.int64)
    first_leads = leads.slot == 0
    lead_known[leads.person[first_leads]] = leads.created[first_leads]
    with_lead = (slot == 0) & (lead_known[person] + 30 * SECOND <= until)
    with_contact = (slot == 0) & (chunk.contact_since[person] <= until)
    company = people.company[person]
    source = people.source[person]
    contact = {
        "id": integers(identifier),
        "property_email": contact_emails(chunk, person, slot),
        "property_firstname": chunk.names.first.take(pa.array(person)),
        "property_lastname": chunk.names.last.take(pa.array(person)),
        "property_phone": pc.if_else(
            pa.array(uniform_hash(number, 81) < 0.55), chunk.names.phone.take(pa.array(person)), None
        ),
        "property_company": chunk.names.employer.take(pa.array(person)),
        "property_jobtitle": pick(TITLES, people.title[person], uniform_hash(number, 82) < 0.9),
        "property_country": pick([entry.name for entry in COUNTRIES], people.country[person]),
        "property_industry": pick(INDUSTRIES, chunk.companies.industry[company], uniform_hash(number, 83) < 0.85),
        "property_numemployees": integers(chunk.companies.employees[company], uniform_hash(number, 84) < 0.75),
        "property_createdate": times(created),
        "property_lastmodifieddate": times(changed),
        "property_lifecyclestage": pick(VALUES, np.where(last[0] >= 0, history.value[last[0]], -1)),
        "property_hs_lead_status": pick(VALUES, np.where(last[1] >= 0, history.value[last[1]], -1)),
        "property_hs_lifecyclestage_lead_date": times(first_time[LEAD]),
        "property_hs_lifecyclestage_marketingqualifiedlead_date": times(first_time[MQL]),
        "property_hs_lifecyclestage_salesqualifiedlead_date": times(first_time[SQL]),
        "property_hs_lifecyclestage_opportunity_date": times(first_time[DEAL]),
        "property_hs_lifecyclestage_customer_date": times(first_time[CUSTOMER]),
        "property_hs_analytics_source": pick([entry.hubspot for entry in SOURCES], source),
        "property_hs_analytics_source_data_1": origin.utm_source.take(pa.array(person)),
        "property_hs_analytics_source_data_2": origin.utm_campaign.take(pa.array(person)),
        "property_hs_google_click_id": origin.gclid.take(pa.array(person)),
        "property_hubspot_owner_id": integers(owner_number(people.sdr[person])),
        "property_associatedcompanyid": integers(company_number(chunk.companies.number[company])),
        "property_hs_merged_object_ids": merged_ids,
        "property_salesforceleadid": salesforce_id("00Q", number * LEAD_SLOTS, with_lead),
        "property_salesforcecontactid": salesforce_id("003", number, with_contact),
        "property_region": pick(REGIONS, people.region[person]),
        "property_product_line": pick([line.name for line in PRODUCTS], people.product[person]),
        "property_nurture_variant": pick(["control", "personalised"], people.nurtured[person].astype(np.int64)),
        "property_ad_consent": ad_consent(number),
        "_fivetran_deleted": flags(is_gone),
        "_fivetran_synced": times(synced(changed)),
    }
    chain_rows = slot > 0
    chunk.log.add(
        "merge_chain",
        "hubspot.contact",
        pc.cast(pa.array(identifier[chain_rows]), pa.string()),
        "none",
        number[chain_rows],
        created[chain_rows],
    )
    company_since = np.full(len(chunk.companies.number), NEVER, dtype=np.int64)
    np.minimum.at(company_since, people.company, chunk.marketing_since)
    return {
        "hubspot.contact": build("hubspot.contact", len(person), contact),
        "hubspot.contact_property_history": _property_history(chunk, history),
        "hubspot.contact_merge_audit": _merge_audit(chunk, chained, merged, again),
        "hubspot.company": _companies(chunk, company_since),
    }


def contact_emails(chunk: Chunk, person: Ints, slot: Ints) -> Any:
    """HubSpot keeps addresses in lower case; contacts merged away had others."""
    email = chunk.names.email.take(pa.array(person))
    if not (slot > 0).any():
        return email
    other = join("former", pc.cast(pa.array(slot), pa.string()), ".", email)
    return pc.if_else(pa.array(slot > 0), other, email)


def _merged_ids(chunk: Chunk, person: Ints, slot: Ints, chained: Ints, merged: Ints, again: Ints) -> Any:
    """Ids merged into each contact so far, `;`-separated: the survivor lists the whole chain."""
    until = chunk.settings.until
    at = np.full(len(chunk.people), -1, dtype=np.int64)
    at[chained] = np.arange(len(chained))
    position = at[person]
    has = position >= 0
    early = np.where(has, merged[np.maximum(position, 0)] if len(chained) else NEVER, NEVER) <= until
    late = np.where(has, again[np.maximum(position, 0)] if len(chained) else NEVER, NEVER) <= until
    number = chunk.people.number[person]
    one = pc.cast(pa.array(contact_number(number, 1)), pa.string())
    both = join(one, ";", pc.cast(pa.array(contact_number(number, 2)), pa.string()))
    value = pc.if_else(pa.array((slot == 0) & late), both, None)
    return pc.if_else(pa.array((slot == 2) & early), one, value)


def _merge_audit(chunk: Chunk, chained: Ints, merged: Ints, again: Ints) -> Any:
    number = chunk.people.number[chained]
    winner = np.r_[contact_number(number, 2), contact_number(number, 0)]
    loser = np.r_[contact_number(number, 1), contact_number(number, 2)]
    moment = np.r_[merged, again]
    rows = np.flatnonzero(chunk.known(moment))
    return build(
        "hubspot.contact_merge_audit",
        len(rows),
        {
            "canonical_vid": integers(winner[rows]),
            "contact_id": integers(winner[rows]),
            "vid_to_merge": integers(loser[rows]),
            "timestamp": times(moment[rows]),
            "entity_id": constant("contact", len(rows), pa.string()),
            "num_properties_moved": integers(moment[rows] // SECOND % 7 + 1),
            "_fivetran_synced": times(synced(moment[rows])),
        },
    )


def _property_history(chunk: Chunk, history: History) -> Any:
    rows = np.flatnonzero(chunk.known(history.time))
    number = chunk.people.number[history.person[rows]]
    return build(
        "hubspot.contact_property_history",
        len(rows),
        {
            "contact_id": integers(contact_number(number, history.slot[rows])),
            "name": pick(PROPERTIES, history.name[rows]),
            "value": pick(VALUES, history.value[rows]),
            "timestamp": times(history.time[rows]),
            "source": pick(HISTORY_SOURCES, history.source[rows]),
            "_fivetran_synced": times(synced(history.time[rows])),
        },
    )


def _companies(chunk: Chunk, since: Ints) -> Any:
    companies = chunk.companies
    rows = np.flatnonzero(chunk.known(since))
    return build(
        "hubspot.company",
        len(rows),
        {
            "id": integers(company_number(companies.number[rows])),
            "property_name": chunk.names.company.take(pa.array(rows)),
            "property_domain": chunk.names.domain.take(pa.array(rows)),
            "property_industry": pick(INDUSTRIES, companies.industry[rows]),
            "property_country": pick([entry.name for entry in COUNTRIES], companies.country[rows]),
            "property_numberofemployees": integers(companies.employees[rows]),
            "property_createdate": times(since[rows]),
            "is_deleted": constant(False, len(rows), pa.bool_()),
            "_fivetran_synced": times(synced(since[rows])),
        },
    )
