"""Tables lead and lead_history, and the leads that exist only because something went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadlag.simulate.arrays import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    SECOND,
    Bools,
    Ints,
    constant,
    dates,
    flags,
    integers,
    join,
    pick,
    salesforce_id,
    synced,
    times,
    uniform_hash,
)
from leadlag.simulate.journeys import CHAIN_SLOTS, DELETED_SLOT, DUPLICATE_SLOT, LEAD_SLOTS, OPPORTUNITY_SLOTS, Passes
from leadlag.simulate.people import SALES_ONLY, SYNCED, People, ad_consent
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import (
    Tables,
    account_id,
    contact_id,
    last_of_group,
    lead_id,
    owner_of,
    source_text,
)
from leadlag.simulate.settings import DISQUALIFIED, INQUIRY, SAL
from leadlag.simulate.tables import build
from leadlag.simulate.world import COUNTRIES, INDUSTRIES, PRODUCTS, REGIONS, TITLES

# Typed to get past a mandatory field; none is an address, so none may join people.
JUNK_EMAILS = ("n/a", "none", "unknown@", "no email, call instead", "x")
(NEW, MARKETING_QUALIFIED, WORKING, QUALIFIED, CONVERTED, UNQUALIFIED, NURTURING) = range(7)
LEAD_STATUSES = (
    "Open - Not Contacted",
    "Marketing Qualified",
    "Working - Contacted",
    "Qualified",
    "Closed - Converted",
    "Unqualified",
    "Nurturing",
)


@dataclass
class Origin:
    """Campaign of the visit in which each person filled in the first form: text columns, null where there was none."""

    utm_source: Any
    utm_medium: Any
    utm_campaign: Any
    gclid: Any


@dataclass
class Leads:
    """Salesforce leads of a chunk in creation-independent order: one value each."""

    key: Ints
    person: Ints
    slot: Ints
    created: Ints
    converted: Ints
    deal_slot: Ints
    merged: Ints
    master: Ints
    deleted: Ints


@dataclass
class Statuses:
    """Status rows of all leads, ordered by lead and time; `event` is stable over runs."""

    lead: Ints
    time: Ints
    status: Ints
    event: Ints


def plan_leads(chunk: Chunk) -> tuple[Leads, Statuses]:
    """Leads and their status rows as the passes and the planted record defects demand."""
    passes = chunk.passes
    worked = passes.take(passes.lead >= 0)
    key = worked.person * LEAD_SLOTS + worked.lead
    starts_new = ~worked.marketing & (worked.entry == INQUIRY)
    told = np.where(worked.entry == SAL, NEVER, worked.handed_over)
    qualified = np.where(worked.sql == worked.converted, NEVER, worked.sql)
    left = np.where(worked.outcome == DISQUALIFIED, UNQUALIFIED, NURTURING)
    columns: list[tuple[Ints, Ints | int]] = [
        (np.where(starts_new, worked.inquiry, NEVER), NEW),
        (told, MARKETING_QUALIFIED),
        (worked.sal, WORKING),
        (qualified, QUALIFIED),
        (worked.back, WORKING),
        (worked.again, QUALIFIED),
        (worked.converted, CONVERTED),
        (worked.left, left),
    ]
    keys, moments, statuses, events = [], [], [], []
    for kind, (moment, value) in enumerate(columns):
        rows = np.flatnonzero(moment != NEVER)
        keys.append(key[rows])
        moments.append(moment[rows])
        statuses.append(np.broadcast_to(np.asarray(value, dtype=np.int64), (len(worked),))[rows])
        events.append(worked.number[rows] * 8 + kind)

    extra = _extra_leads(chunk, passes.take(passes.number == 1))
    keys.append(extra.key)
    moments.append(extra.created)
    alone = chunk.people.kind[extra.person] == SALES_ONLY
    statuses.append(np.where(alone | (extra.slot == DELETED_SLOT), NEW, MARKETING_QUALIFIED).astype(np.int64))
    events.append(np.zeros(len(extra.key), dtype=np.int64))
    lead_key = np.concatenate(keys)
    time = np.concatenate(moments)
    status = np.concatenate(statuses)
    event = np.concatenate(events)

    order = np.lexsort((event, time, lead_key))
    lead_key, time, status, event = lead_key[order], time[order], status[order], event[order]
    unique, first = np.unique(lead_key, return_index=True)
    number = np.searchsorted(unique, lead_key)
    count = len(unique)
    converted = np.full(count, NEVER, dtype=np.int64)
    deal_slot = np.full(count, -1, dtype=np.int64)
    done = np.flatnonzero(worked.converted != NEVER)
    at = np.searchsorted(unique, key[done])
    converted[at] = worked.converted[done]
    deal_slot[at] = worked.deal[done]
    merged = np.full(count, NEVER, dtype=np.int64)
    master = np.full(count, -1, dtype=np.int64)
    deleted = np.full(count, NEVER, dtype=np.int64)
    at = np.searchsorted(unique, extra.key)
    merged[at], master[at], deleted[at] = extra.merged, extra.master, extra.deleted
    leads = Leads(
        key=unique,
        person=unique // LEAD_SLOTS,
        slot=unique % LEAD_SLOTS,
        created=time[first],
        converted=converted,
        deal_slot=deal_slot,
        merged=merged,
        master=master,
        deleted=deleted,
    )
    return leads, Statuses(number, time, status, event)


def _extra_leads(chunk: Chunk, first: Passes) -> Leads:
    """Leads that exist only because something went wrong: duplicates, merged ones, deleted ones."""
    people, picked = chunk.people, chunk.picked
    rng = chunk.rng("extra leads")
    count = len(people)
    base = np.full(count, NEVER, dtype=np.int64)
    own = first.take(first.lead == 0)
    created = np.where(own.marketing, own.handed_over, np.minimum(own.inquiry, own.handed_over))
    base[own.person] = created
    wait = rng.integers(20 * 60, 10 * 3600, (count, 3)) * SECOND
    week = rng.integers(3 * 86_400, 20 * 86_400, (count, 2)) * SECOND
    parts: list[tuple[Ints, int, Ints, Ints, Ints, Ints]] = []
    never = np.full(count, NEVER, dtype=np.int64)
    nobody = np.full(count, -1, dtype=np.int64)
    known = np.where(base == NEVER, 0, base)
    with_lead = base != NEVER

    def part(chosen: Bools, slot: int, since: Ints, merged: Ints, master: Ints, deleted: Ints) -> None:
        rows = np.flatnonzero(chosen & (base != NEVER))
        parts.append((rows, slot, since[rows], merged[rows], master[rows], deleted[rows]))

    part(picked["duplicate_record"], DUPLICATE_SLOT, known + wait[:, 0], never, nobody, never)
    # A list imported days later calls people marketing-qualified; HubSpot, the judge of that, says otherwise.
    listed = conflicts_in_crm(chunk)
    asked = np.full(count, NEVER, dtype=np.int64)
    asked[first.person] = first.inquiry
    since = np.where(base == NEVER, asked, base)
    base = np.where(listed, since, base)
    known = np.where(base == NEVER, 0, base)
    part(listed, DUPLICATE_SLOT, known + 30 * HOUR + week[:, 0] // 3, never, nobody, never)
    chain = picked["merge_chain"] & chains_in_crm(people)
    position = np.arange(count, dtype=np.int64) * LEAD_SLOTS
    later = known + DAY + week[:, 0]
    part(chain, CHAIN_SLOTS[0], known + wait[:, 0], later, position + CHAIN_SLOTS[1], later)
    latest = later + week[:, 1]
    part(chain, CHAIN_SLOTS[1], known + wait[:, 0] + wait[:, 1], latest, position, latest)
    trash = rng.random(count) < 0.002
    if chunk.index == 0 and chunk.settings.leads >= 500 and np.count_nonzero(trash & with_lead) < 4:
        trash[np.flatnonzero(with_lead)[:4]] = True
    trash &= with_lead & chunk.settings.plants("deleted_record")
    part(trash, DELETED_SLOT, known + wait[:, 2], never, nobody, known + wait[:, 2] + 25 * MINUTE)
    rows = np.concatenate([entry[0] for entry in parts])
    slot = np.concatenate([np.full(len(entry[0]), entry[1], dtype=np.int64) for entry in parts])
    since, merged, master, deleted = (np.concatenate([entry[i] for entry in parts]) for i in (2, 3, 4, 5))
    unset = np.full(len(rows), NEVER, dtype=np.int64)
    return Leads(rows * LEAD_SLOTS + slot, rows, slot, since, unset, unset * 0 - 1, merged, master, deleted)


def chains_in_crm(people: People) -> Bools:
    """Whose chain of merges is in Salesforce; the others' is in HubSpot."""
    return np.asarray((people.kind == SALES_ONLY) | ((people.kind == SYNCED) & (people.number % 2 == 0)))


def conflicts_in_crm(chunk: Chunk) -> Bools:
    """Persons whose conflicting status stands in Salesforce; the others' is in HubSpot."""
    without_lead = np.ones(len(chunk.people), dtype=np.bool_)
    without_lead[chunk.passes.person[chunk.passes.lead >= 0]] = False
    return np.asarray(chunk.picked["conflicting_status"] & (without_lead | (chunk.people.number % 2 == 1)))


def lead_emails(chunk: Chunk, leads: Leads) -> Any:
    """E-mail as typed into each lead: mostly as elsewhere, sometimes spelled differently, sometimes another one."""
    email = chunk.names.email.take(pa.array(leads.person))
    number = chunk.people.number[leads.person]
    style = (uniform_hash(number * LEAD_SLOTS + leads.slot, 71) * 100).astype(np.int64)
    proper = pc.replace_substring_regex(
        join(pc.utf8_upper(pc.utf8_slice_codeunits(email, 0, 1)), _rest(email)), r"\s", ""
    )
    email = pc.if_else(pa.array(style < 8), proper, email)
    twice = (leads.slot == DUPLICATE_SLOT) & chunk.picked["duplicate_record"][leads.person]
    email = pc.if_else(pa.array(twice), join("  ", pc.utf8_upper(email), " "), email)
    # Records that are merged later carry other addresses: only the merge says that they are one person.
    other = join("old", pc.cast(pa.array(leads.slot), pa.string()), ".", chunk.names.email.take(pa.array(leads.person)))
    email = pc.if_else(pa.array(np.isin(leads.slot, CHAIN_SLOTS)), other, email)
    junk = join("test", pc.cast(pa.array(number), pa.string()), "@delete-me.org")
    email = pc.if_else(pa.array(leads.slot == DELETED_SLOT), junk, email)
    shared = chunk.picked["shared_mailbox"][leads.person]
    if shared.any():
        email = pc.if_else(pa.array(shared), shared_mailbox(chunk).take(pa.array(leads.person)), email)
    typed = chunk.picked["junk_email"][leads.person]
    return pc.if_else(pa.array(typed), pick(JUNK_EMAILS, number % len(JUNK_EMAILS)), email)


def _rest(email: Any) -> Any:
    return pc.utf8_slice_codeunits(email, 1)


def shared_mailbox(chunk: Chunk) -> Any:
    """Group mailbox of three persons at a time, in the domain of the first of them; null for everybody else."""
    members = np.flatnonzero(chunk.picked["shared_mailbox"])
    leader = np.full(len(chunk.people), -1, dtype=np.int64)
    leader[members] = members[np.arange(len(members)) // 3 * 3]
    company = np.where(leader >= 0, chunk.people.company[np.maximum(leader, 0)], 0)
    box = np.where(leader >= 0, leader % 2, -1)
    return join(pick(["info@", "sales@"], box), chunk.names.domain.take(pa.array(company)))


def render_leads(chunk: Chunk, leads: Leads, statuses: Statuses, origin: Origin) -> Tables:
    """Tables lead and lead_history."""
    people, settings = chunk.people, chunk.settings
    known = statuses.time <= settings.until
    last = last_of_group(statuses.lead, known, len(leads.key))
    rows = np.flatnonzero(leads.created <= settings.until)
    kept = Leads(**{name: getattr(leads, name)[rows] for name in Leads.__dataclass_fields__})
    person = kept.person
    number = people.number[person]
    email = lead_emails(chunk, kept)
    status = statuses.status[last[rows]]
    is_converted = kept.converted <= settings.until
    gone = np.minimum(kept.merged, kept.deleted) <= settings.until
    merged = kept.merged <= settings.until
    changed = np.maximum(kept.created, statuses.time[last[rows]])
    changed = np.maximum(changed, np.where(gone, np.minimum(kept.merged, kept.deleted), 0))
    country = people.country[person]
    at = pa.array(person)
    # Only what marketing handed over knows the web visit it came from.
    synced_lead = pa.array((chunk.marketing_since[person] <= kept.created) & (kept.slot < DUPLICATE_SLOT))
    lead = {
        "id": lead_id(number * LEAD_SLOTS + kept.slot),
        "first_name": chunk.names.first.take(pa.array(person)),
        "last_name": chunk.names.last.take(pa.array(person)),
        "name": chunk.names.full.take(pa.array(person)),
        "email": email,
        "phone": pc.if_else(pa.array(uniform_hash(number, 34) < 0.7), chunk.names.phone.take(pa.array(person)), None),
        "company": chunk.names.employer.take(pa.array(person)),
        "title": pick(TITLES, people.title[person]),
        "website": join("https://", chunk.names.domain.take(pa.array(people.company[person]))),
        "country": pick([entry.name for entry in COUNTRIES], country),
        "country_code": pick([entry.code for entry in COUNTRIES], country),
        "city": pick([entry.city for entry in COUNTRIES], country),
        "industry": pick(INDUSTRIES, chunk.companies.industry[people.company[person]], uniform_hash(number, 35) < 0.88),
        "number_of_employees": integers(
            chunk.companies.employees[people.company[person]], uniform_hash(number, 36) < 0.82
        ),
        "lead_source": source_text(chunk, person),
        "status": pick(LEAD_STATUSES, status),
        "owner_id": owner_of(chunk, person),
        "is_converted": flags(is_converted),
        "converted_date": dates(kept.converted, is_converted),
        "converted_contact_id": contact_id(chunk, person, is_converted),
        "converted_account_id": account_id(chunk, people.company[person], is_converted),
        "converted_opportunity_id": salesforce_id(
            "006", number * OPPORTUNITY_SLOTS + np.maximum(kept.deal_slot, 0), is_converted & _has_deal_by(chunk, kept)
        ),
        "master_record_id": lead_id(
            people.number[np.maximum(kept.master, 0) // LEAD_SLOTS] * LEAD_SLOTS
            + np.maximum(kept.master, 0) % LEAD_SLOTS,
            merged,
        ),
        "is_deleted": flags(gone),
        "last_activity_date": dates(changed),
        "created_date": times(kept.created),
        "created_by_id": owner_of(chunk, person),
        "last_modified_date": times(changed),
        "system_modstamp": times(changed),
        "region_c": pick(REGIONS, people.region[person]),
        "product_line_c": pick([line.name for line in PRODUCTS], people.product[person]),
        "utm_source_c": pc.if_else(synced_lead, origin.utm_source.take(at), None),
        "utm_medium_c": pc.if_else(synced_lead, origin.utm_medium.take(at), None),
        "utm_campaign_c": pc.if_else(synced_lead, origin.utm_campaign.take(at), None),
        "gclid_c": pc.if_else(synced_lead, origin.gclid.take(at), None),
        "ad_consent_c": ad_consent(number),
        "_fivetran_synced": times(synced(changed)),
    }
    _log_extra_leads(chunk, kept, lead["id"])
    return {
        "salesforce.lead": build("salesforce.lead", len(rows), lead),
        "salesforce.lead_history": _lead_history(chunk, leads, statuses),
    }


def _has_deal_by(chunk: Chunk, leads: Leads) -> Bools:
    """Whether the deal named by a converted lead exists already: some are opened days after the conversion."""
    deals = chunk.deals
    key = deals.person * OPPORTUNITY_SLOTS + deals.slot
    order = np.argsort(key)
    wanted = leads.person * OPPORTUNITY_SLOTS + np.maximum(leads.deal_slot, 0)
    at = order[np.minimum(np.searchsorted(key[order], wanted), max(len(key) - 1, 0))] if len(key) else None
    if at is None:
        return np.zeros(len(leads.key), dtype=np.bool_)
    together = deals.created[at] <= np.where(leads.converted == NEVER, 0, leads.converted) + MINUTE
    return np.asarray(
        (leads.deal_slot >= 0) & (key[at] == wanted) & together & (deals.created[at] <= chunk.settings.until)
    )


def _log_extra_leads(chunk: Chunk, leads: Leads, identifiers: Any) -> None:
    numbers_of = chunk.people.number[leads.person]
    picked, person = chunk.picked, leads.person
    extra = leads.slot == DUPLICATE_SLOT
    gone = leads.slot == DELETED_SLOT
    classes = (
        ("duplicate_record", "none", extra & picked["duplicate_record"][person], leads.created),
        ("conflicting_status", "status_discrepancy", extra & picked["conflicting_status"][person], leads.created),
        ("merge_chain", "none", np.isin(leads.slot, CHAIN_SLOTS), leads.created),
        ("shared_mailbox", "none", picked["shared_mailbox"][person], leads.created),
        ("junk_email", "none", picked["junk_email"][person], leads.created),
        ("deleted_record", "deleted_in_source", gone, leads.deleted),
    )
    for defect, expected, rows, recorded in classes:
        owner = np.where(gone, -1, numbers_of)[rows]
        chunk.log.add(defect, "salesforce.lead", identifiers.filter(pa.array(rows)), expected, owner, recorded[rows])


def _lead_history(chunk: Chunk, leads: Leads, statuses: Statuses) -> Any:
    """Changes of status; the initial status is not part of it, as in Salesforce."""
    follows = np.r_[False, statuses.lead[1:] == statuses.lead[:-1]]
    rows = np.flatnonzero(follows & chunk.known(statuses.time))
    lead = statuses.lead[rows]
    person = leads.person[lead]
    key = chunk.people.number[person] * LEAD_SLOTS + leads.slot[lead]
    count = len(rows)
    identifiers = salesforce_id("017", key * 64 + statuses.event[rows])
    _log_status_moves(chunk, statuses, rows, identifiers, person)
    return build(
        "salesforce.lead_history",
        count,
        {
            "id": identifiers,
            "lead_id": lead_id(key),
            "field": constant("Status", count, pa.string()),
            "old_value": pick(LEAD_STATUSES, statuses.status[rows - 1]),
            "new_value": pick(LEAD_STATUSES, statuses.status[rows]),
            "data_type": constant("EnumOrPicklist", count, pa.string()),
            "created_date": times(statuses.time[rows]),
            "created_by_id": owner_of(chunk, person),
            "is_deleted": constant(False, count, pa.bool_()),
            "_fivetran_synced": times(synced(statuses.time[rows])),
        },
    )


def _log_status_moves(chunk: Chunk, statuses: Statuses, rows: Ints, identifiers: Any, person: Ints) -> None:
    status = statuses.status[rows]
    # Event numbers 4 and 3 within a pass: set back, qualified.
    back = chunk.picked["backward_stage"][person] & (statuses.event[rows] % 8 == 4)
    skip = chunk.picked["skipped_stage"][person] & (statuses.event[rows] // 8 == 1)
    skip &= np.isin(status, (QUALIFIED, CONVERTED)) & (statuses.status[rows - 1] == MARKETING_QUALIFIED)
    for chosen, defect in ((back, "backward_stage"), (skip, "skipped_stage")):
        chunk.log.add(
            defect,
            "salesforce.lead_history",
            identifiers.filter(pa.array(chosen)),
            "flag",
            chunk.people.number[person[chosen]],
            statuses.time[rows][chosen],
        )
