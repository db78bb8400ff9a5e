"""The sales side: Salesforce tables in the Fivetran schema."""

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
    Floats,
    Ints,
    constant,
    dates,
    flags,
    integers,
    join,
    numbers,
    pick,
    salesforce_id,
    spread,
    synced,
    times,
    uniform_hash,
)
from leadlag.simulate.clock import ZONE_NAMES, working_day
from leadlag.simulate.journeys import (
    CHAIN_SLOTS,
    DELETED_SLOT,
    DUPLICATE_SLOT,
    LEAD_SLOTS,
    OPPORTUNITY_SLOTS,
    Passes,
)
from leadlag.simulate.people import SALES_ONLY, SYNCED, People
from leadlag.simulate.plan import (
    CLOSED_LOST,
    CLOSED_WON,
    STAGE_PROBABILITY,
    Chunk,
)
from leadlag.simulate.settings import DISQUALIFIED, INQUIRY, SAL, WON, Settings
from leadlag.simulate.tables import build
from leadlag.simulate.world import (
    COUNTRIES,
    CURRENCIES,
    INDUSTRIES,
    PRODUCTS,
    REGION_ZONE,
    REGIONS,
    ROLES,
    SOURCES,
    TITLES,
    TRADE_SHOW,
    World,
)

Tables = dict[str, Any]

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
STAGE_LABELS = (
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
)
FORECAST_CATEGORIES = ("Pipeline", "Pipeline", "Pipeline", "BestCase", "Forecast", "Closed", "Omitted")
FORECAST_NAMES = ("Pipeline", "Pipeline", "Pipeline", "Best Case", "Commit", "Closed", "Omitted")
DEAL_TYPES = ("New Business", "Existing Business", "Renewal")
LOSS_REASONS = ("Price", "Competitor", "No Decision", "No Budget", "Missing Feature", "Timing")
COMPETITORS = ("Northwind Flow", "Tailspin CRM", "Contoso Leads")


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


def last_of_group(group: Ints, kept: Bools, groups: int) -> Ints:
    """Position of the last kept row of each group (rows ordered by group and time), -1 without one."""
    last = np.full(groups, -1, dtype=np.int64)
    rows = np.flatnonzero(kept)
    last[group[rows]] = rows
    return last


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


def _owner(chunk: Chunk, person: Ints) -> Any:
    return rep_id(chunk.people.sdr[person])


def _source_text(chunk: Chunk, person: Ints) -> Any:
    """Lead source as sales people type it; null where nobody recorded one."""
    source = chunk.people.source[person]
    recorded = uniform_hash(chunk.people.number[person], 33) >= 0.03
    return pick([entry.salesforce for entry in SOURCES], source, recorded)


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
        "lead_source": _source_text(chunk, person),
        "status": pick(LEAD_STATUSES, status),
        "owner_id": _owner(chunk, person),
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
        "created_by_id": _owner(chunk, person),
        "last_modified_date": times(changed),
        "system_modstamp": times(changed),
        "region_c": pick(REGIONS, people.region[person]),
        "product_line_c": pick([line.name for line in PRODUCTS], people.product[person]),
        "utm_source_c": pc.if_else(synced_lead, origin.utm_source.take(at), None),
        "utm_medium_c": pc.if_else(synced_lead, origin.utm_medium.take(at), None),
        "utm_campaign_c": pc.if_else(synced_lead, origin.utm_campaign.take(at), None),
        "gclid_c": pc.if_else(synced_lead, origin.gclid.take(at), None),
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
            "created_by_id": _owner(chunk, person),
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
        "lead_source": _source_text(chunk, person),
        "owner_id": rep_id(people.ae[person]),
        "is_deleted": constant(False, len(person), pa.bool_()),
        "created_date": times(created),
        "created_by_id": _owner(chunk, person),
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


def _amount_text(amount: Floats) -> Any:
    missing = np.isnan(amount)
    whole = pa.array(np.where(missing, 0, amount).astype(np.int64), mask=missing)
    return join(pc.cast(whole, pa.string()), ".0")


def deal_currency(chunk: Chunk, deal: Ints) -> Ints:
    """Currency code of deals."""
    return np.array([entry.currency for entry in COUNTRIES])[chunk.people.country[chunk.deals.person[deal]]]


def render_deals(chunk: Chunk) -> Tables:
    """Opportunity tables: the opportunity itself, both histories, contact roles."""
    deals, steps, people = chunk.deals, chunk.steps, chunk.people
    known = chunk.known(steps.time) & deals.crm[steps.deal]
    last = last_of_group(steps.deal, known, len(deals.person))
    rows = np.flatnonzero((last >= 0) & deals.crm)
    at = last[rows]
    person = deals.person[rows]
    stage = steps.stage[at]
    currency = deal_currency(chunk, rows)
    lost = stage == CLOSED_LOST
    draw = uniform_hash(people.number[person] * OPPORTUNITY_SLOTS + deals.slot[rows], 44)
    reason = np.where(lost, loss_reason(chunk, rows), -1)
    show = chunk_campaign(chunk, person)
    with_campaign = (people.source[person] == TRADE_SHOW) & (deals.slot[rows] == 0)
    deal = {
        "id": deal_id(chunk, rows),
        "account_id": account_id(chunk, people.company[person]),
        "campaign_id": campaign_id(show, with_campaign),
        "owner_id": rep_id(people.ae[person]),
        "name": join(
            chunk.names.employer.take(pa.array(person)),
            " - ",
            pick([line.name for line in PRODUCTS], people.product[person]),
        ),
        "type": pick(DEAL_TYPES, deals.kind[rows]),
        "amount": numbers(np.nan_to_num(steps.amount[at]), ~np.isnan(steps.amount[at])),
        "currency_iso_code": pick(CURRENCIES, currency),
        "probability": numbers(np.round(steps.probability[at] * 100.0, 6)),
        "stage_name": pick(STAGE_LABELS, stage),
        "forecast_category": pick(FORECAST_CATEGORIES, stage),
        "lead_source": _source_text(chunk, person),
        "close_date": dates(steps.close[at]),
        "is_closed": flags(stage >= CLOSED_WON),
        "is_won": flags(stage == CLOSED_WON),
        "is_deleted": constant(False, len(rows), pa.bool_()),
        "created_date": times(deals.created[rows]),
        "created_by_id": rep_id(people.ae[person]),
        "last_modified_date": times(steps.time[at]),
        "system_modstamp": times(steps.time[at]),
        "region_c": pick(REGIONS, people.region[person]),
        "product_line_c": pick([line.name for line in PRODUCTS], people.product[person]),
        "loss_reason_c": pick(LOSS_REASONS, reason),
        "competitor_c": pick(COMPETITORS, np.where(reason == 1, (draw * 997).astype(np.int64) % 3, -1)),
        "_fivetran_synced": times(synced(steps.time[at])),
    }
    early = deals.slot[rows] == 5
    chunk.log.add(
        "conversion_before_entry",
        "salesforce.opportunity",
        deal["id"].filter(pa.array(early)),
        "flag",
        people.number[person[early]],
        deals.created[rows][early],
    )
    return {
        "salesforce.opportunity": build("salesforce.opportunity", len(rows), deal),
        "salesforce.opportunity_history": _deal_history(chunk),
        "salesforce.opportunity_field_history": _deal_field_history(chunk),
        "salesforce.opportunity_contact_role": _contact_roles(chunk, rows),
    }


def loss_reason(chunk: Chunk, deal: Ints) -> Ints:
    """Reason of a loss, should the deal be lost; -1 where the seller gives none. Insights has more rivals."""
    person = chunk.deals.person[deal]
    key = chunk.people.number[person] * OPPORTUNITY_SLOTS + chunk.deals.slot[deal]
    draw = uniform_hash(key, 45)
    plain = np.array([0.24, 0.44, 0.64, 0.80, 0.90, 1.0])
    rival = np.array([0.18, 0.54, 0.70, 0.82, 0.92, 1.0])
    edges = np.where((chunk.people.product[person] == 1)[:, None], rival, plain)
    reason = (draw[:, None] >= edges).sum(axis=1)
    return np.where(uniform_hash(key, 44) < 0.86, reason, -1).astype(np.int64)


def _step_ids(chunk: Chunk, rows: Ints, prefix: str, kind: int) -> Any:
    steps, deals = chunk.steps, chunk.deals
    deal = steps.deal[rows]
    number = chunk.people.number[deals.person[deal]] * OPPORTUNITY_SLOTS + deals.slot[deal]
    return salesforce_id(prefix, (number * 32 + steps.key[rows]) * 8 + kind)


def _previous(chunk: Chunk) -> tuple[Ints, Bools]:
    """Position of the step before each step, and whether there is one."""
    deal = chunk.steps.deal
    has = np.r_[False, deal[1:] == deal[:-1]] if len(deal) else np.zeros(0, dtype=np.bool_)
    return np.maximum(np.arange(len(deal), dtype=np.int64) - 1, 0), has


def _deal_history(chunk: Chunk) -> Any:
    steps, deals = chunk.steps, chunk.deals
    rows = np.flatnonzero(chunk.known(steps.time) & deals.crm[steps.deal])
    before, has = _previous(chunk)
    earlier, has = before[rows], has[rows]
    deal = steps.deal[rows]
    amount = steps.amount[rows]
    given = ~np.isnan(amount)
    past = steps.amount[earlier]
    identifiers = _step_ids(chunk, rows, "008", 0)
    back = (steps.key[rows] == 5) & (steps.stage[rows] < steps.stage[earlier])
    chunk.log.add(
        "backward_stage",
        "salesforce.opportunity_history",
        identifiers.filter(pa.array(back)),
        "flag",
        chunk.people.number[deals.person[deal[back]]],
        steps.time[rows][back],
    )
    return build(
        "salesforce.opportunity_history",
        len(rows),
        {
            "id": identifiers,
            "opportunity_id": deal_id(chunk, deal),
            "stage_name": pick(STAGE_LABELS, steps.stage[rows]),
            "amount": numbers(np.nan_to_num(amount), given),
            "expected_revenue": numbers(np.nan_to_num(amount) * steps.probability[rows], given),
            "probability": numbers(np.round(steps.probability[rows] * 100.0, 6)),
            "forecast_category": pick(FORECAST_CATEGORIES, steps.stage[rows]),
            "close_date": dates(steps.close[rows]),
            "prev_amount": numbers(np.nan_to_num(past), has & ~np.isnan(past)),
            "prev_close_date": dates(steps.close[earlier], has),
            "currency_iso_code": pick(CURRENCIES, deal_currency(chunk, deal)),
            "created_date": times(steps.time[rows]),
            "created_by_id": rep_id(chunk.people.ae[deals.person[deal]]),
            "is_deleted": constant(False, len(rows), pa.bool_()),
            "system_modstamp": times(steps.time[rows]),
            "_fivetran_synced": times(synced(steps.time[rows])),
        },
    )


def _deal_field_history(chunk: Chunk) -> Any:
    """Changes of stage, amount, close date and loss reason; as in Salesforce the values at creation are not part of it."""
    steps, deals = chunk.steps, chunk.deals
    before, has = _previous(chunk)
    live = has & chunk.known(steps.time) & deals.crm[steps.deal]
    past = steps.amount[before]
    amount = steps.amount
    same = (past == amount) | (np.isnan(past) & np.isnan(amount))
    reason = np.where(steps.stage == CLOSED_LOST, loss_reason(chunk, steps.deal), -1)
    parts = []
    for kind, (field, data_type, changed) in enumerate(
        (
            ("StageName", "EnumOrPicklist", steps.stage != steps.stage[before]),
            ("Amount", "Currency", ~same),
            ("CloseDate", "DateOnly", steps.close != steps.close[before]),
            ("Loss_Reason__c", "EnumOrPicklist", reason != reason[before]),
        ),
        1,
    ):
        rows = np.flatnonzero(live & changed)
        earlier = before[rows]
        if field == "StageName":
            old, new = pick(STAGE_LABELS, steps.stage[earlier]), pick(STAGE_LABELS, steps.stage[rows])
        elif field == "Amount":
            old, new = _amount_text(steps.amount[earlier]), _amount_text(steps.amount[rows])
        elif field == "Loss_Reason__c":
            old, new = pick(LOSS_REASONS, reason[earlier]), pick(LOSS_REASONS, reason[rows])
        else:
            old = pc.cast(dates(steps.close[earlier]), pa.string())
            new = pc.cast(dates(steps.close[rows]), pa.string())
        parts.append(
            build(
                "salesforce.opportunity_field_history",
                len(rows),
                {
                    "id": _step_ids(chunk, rows, "017", kind),
                    "opportunity_id": deal_id(chunk, steps.deal[rows]),
                    "field": constant(field, len(rows), pa.string()),
                    "old_value": old,
                    "new_value": new,
                    "data_type": constant(data_type, len(rows), pa.string()),
                    "created_date": times(steps.time[rows]),
                    "created_by_id": rep_id(chunk.people.ae[deals.person[steps.deal[rows]]]),
                    "is_deleted": constant(False, len(rows), pa.bool_()),
                    "_fivetran_synced": times(synced(steps.time[rows])),
                },
            )
        )
    return pa.concat_tables(parts)


def _contact_roles(chunk: Chunk, rows: Ints) -> Any:
    """One primary contact a deal, sometimes a second person of the same employer."""
    deals, people = chunk.deals, chunk.people
    primary = rows[deals.has_role[rows]]
    contacts = np.flatnonzero(chunk.contact_since != NEVER)
    order = np.lexsort((chunk.contact_since[contacts], people.company[contacts]))
    ordered = contacts[order]
    # The colleague who became a contact just before: known by the time of any later deal.
    same = np.r_[False, people.company[ordered[1:]] == people.company[ordered[:-1]]] if len(ordered) else None
    colleague = np.full(len(people), -1, dtype=np.int64)
    if same is not None:
        colleague[ordered[same]] = ordered[np.flatnonzero(same) - 1]
    mate = colleague[deals.person[primary]]
    draw = uniform_hash(people.number[deals.person[primary]] * OPPORTUNITY_SLOTS + deals.slot[primary], 46)
    second = (mate >= 0) & (draw < 0.5)
    deal = np.r_[primary, primary[second]]
    contact = np.r_[deals.person[primary], mate[second]]
    is_primary = np.r_[np.ones(len(primary), dtype=np.bool_), np.zeros(int(second.sum()), dtype=np.bool_)]
    number = people.number[deals.person[deal]] * OPPORTUNITY_SLOTS + deals.slot[deal]
    created = deals.created[deal]
    return build(
        "salesforce.opportunity_contact_role",
        len(deal),
        {
            "id": salesforce_id("00K", number * 2 + is_primary),
            "opportunity_id": deal_id(chunk, deal),
            "contact_id": contact_id(chunk, contact),
            "role": pick(["Influencer", "Decision Maker"], is_primary.astype(np.int64)),
            "is_primary": flags(is_primary),
            "created_date": times(created),
            "is_deleted": constant(False, len(deal), pa.bool_()),
            "_fivetran_synced": times(synced(created)),
        },
    )


def campaign_id(campaign: Ints, valid: Bools | None = None) -> Any:
    """Campaign ids from positions in the world's campaigns."""
    return salesforce_id("701", np.maximum(campaign, 0) + 100, valid)


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


def render_world(settings: Settings, world: World) -> Tables:
    """Tables that do not depend on leads: users, roles, campaigns, opportunity stages."""
    reps = world.reps
    count = len(reps)
    since = np.full(count, settings.begin - 30 * DAY, dtype=np.int64)
    manager = np.array([rep.manager for rep in reps], dtype=np.int64)
    zone = REGION_ZONE[np.array([rep.region for rep in reps])]
    users = {
        "id": rep_id(np.arange(count, dtype=np.int64)),
        "name": pa.array([rep.name for rep in reps]),
        "email": pa.array([rep.email for rep in reps]),
        "manager_id": salesforce_id("005", np.maximum(manager, 0) + 1_000, manager >= 0),
        "user_role_id": salesforce_id("00E", np.array([rep.role for rep in reps], dtype=np.int64) + 10),
        "is_active": pa.array([rep.active for rep in reps]),
        "time_zone_sid_key": pick(ZONE_NAMES, zone),
        "created_date": times(since),
        "_fivetran_synced": times(synced(since)),
    }
    parents = np.array([parent for _, parent in ROLES], dtype=np.int64)
    role_since = np.full(len(ROLES), settings.begin - 31 * DAY, dtype=np.int64)
    roles = {
        "id": salesforce_id("00E", np.arange(len(ROLES), dtype=np.int64) + 10),
        "name": pa.array([name for name, _ in ROLES]),
        "parent_role_id": salesforce_id("00E", np.maximum(parents, 0) + 10, parents >= 0),
        "_fivetran_synced": times(synced(role_since)),
    }
    stages = np.arange(len(STAGE_LABELS), dtype=np.int64)
    stage_since = np.full(len(stages), settings.begin - 29 * DAY, dtype=np.int64)
    stage = {
        "id": salesforce_id("01J", stages + 1),
        "api_name": pick(STAGE_LABELS, stages),
        "master_label": pick(STAGE_LABELS, stages),
        "sort_order": integers(stages + 1),
        "default_probability": numbers(np.round(STAGE_PROBABILITY * 100.0, 6)),
        "forecast_category": pick(FORECAST_CATEGORIES, stages),
        "forecast_category_name": pick(FORECAST_NAMES, stages),
        "is_active": constant(True, len(stages), pa.bool_()),
        "is_closed": flags(stages >= CLOSED_WON),
        "is_won": flags(stages == CLOSED_WON),
        "_fivetran_synced": times(synced(stage_since)),
    }
    campaigns = world.campaigns
    planned = np.array([c.first_day for c in campaigns], dtype=np.int64) * DAY - 20 * DAY
    rows = np.flatnonzero(planned <= settings.until)
    parent = np.array([campaigns[i].parent for i in rows], dtype=np.int64)
    cost = np.array([campaigns[i].cost for i in rows], dtype=np.float64)
    campaign = {
        "id": campaign_id(rows.astype(np.int64)),
        "name": pa.array([campaigns[i].name for i in rows]),
        "type": pa.array([campaigns[i].kind for i in rows]),
        "status": constant("In Progress", len(rows), pa.string()),
        "parent_id": campaign_id(parent, parent >= 0),
        "start_date": dates(np.array([campaigns[i].first_day for i in rows], dtype=np.int64) * DAY),
        "end_date": dates(np.array([campaigns[i].last_day for i in rows], dtype=np.int64) * DAY),
        "budgeted_cost": numbers(cost),
        "actual_cost": numbers(np.round(cost * 1.06, 2)),
        "currency_iso_code": pick(CURRENCIES, np.array([campaigns[i].currency for i in rows], dtype=np.int64)),
        "is_active": constant(True, len(rows), pa.bool_()),
        "is_deleted": constant(False, len(rows), pa.bool_()),
        "created_date": times(planned[rows]),
        "_fivetran_synced": times(synced(planned[rows])),
    }
    return {
        "salesforce.user": build("salesforce.user", count, users),
        "salesforce.user_role": build("salesforce.user_role", len(ROLES), roles),
        "salesforce.opportunity_stage": build("salesforce.opportunity_stage", len(stages), stage),
        "salesforce.campaign": build("salesforce.campaign", len(rows), campaign),
    }
