"""The marketing side: HubSpot tables in the Fivetran schema."""

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
    uuid,
)
from leadlag.simulate.journeys import LEAD_SLOTS, OPPORTUNITY_SLOTS
from leadlag.simulate.plan import CLOSED_LOST, CLOSED_WON, RENEWAL, Chunk
from leadlag.simulate.salesforce import (
    CALL,
    LOSS_REASONS,
    MAIL,
    MEETING,
    TO_DO,
    Contacting,
    Leads,
    Origin,
    Tables,
    chains_in_crm,
    conflicts_in_crm,
    deal_currency,
    deal_id,
    last_of_group,
    loss_reason,
)
from leadlag.simulate.settings import DISQUALIFIED, OPPORTUNITY, WON, Settings
from leadlag.simulate.tables import build
from leadlag.simulate.world import (
    COUNTRIES,
    CURRENCIES,
    INDUSTRIES,
    NA,
    PRODUCTS,
    REGIONS,
    SOURCES,
    TITLES,
    World,
)

CONTACT_SLOTS = 4
PORTAL = 4_727_653
_FOREVER = 2_524_608_000_000  # 2050-01-01, the loader's end of a row that is still valid

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
(SUBSCRIBER, LEAD, MQL, SQL, DEAL, CUSTOMER, OTHER, S_NEW, S_OPEN, S_PROGRESS, S_DEAL, S_UNQUALIFIED, S_TIMING) = range(
    13
)
HISTORY_SOURCES = ("FORM", "AUTOMATION_PLATFORM", "SALESFORCE", "CRM_UI", "DEALS")

PIPELINE = "default"
DEAL_STAGES = (
    ("appointmentscheduled", "Appointment Scheduled", 0.2),
    ("qualifiedtobuy", "Qualified To Buy", 0.4),
    ("presentationscheduled", "Presentation Scheduled", 0.6),
    ("contractsent", "Contract Sent", 0.9),
    ("closedwon", "Closed Won", 1.0),
    ("closedlost", "Closed Lost", 0.0),
)
# Position in DEAL_STAGES of each Salesforce stage.
_STAGE_OF = np.array([0, 0, 1, 2, 3, 4, 5])
DEAL_KINDS = ("newbusiness", "existingbusiness", "renewal")


def contact_number(person_number: Ints, slot: Ints | int = 0) -> Ints:
    """HubSpot contact ids of persons."""
    return np.asarray(51_000_000 + person_number * CONTACT_SLOTS + slot, dtype=np.int64)


def company_number(company: Ints) -> Ints:
    """HubSpot company ids."""
    return 2_100_000_000 + company


def owner_number(rep: Ints) -> Ints:
    """HubSpot owner ids of users."""
    return 40_000_000 + rep * 137


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


def deal_number(chunk: Chunk, deal: Ints) -> Ints:
    """HubSpot deal ids from positions in the chunk's deals."""
    person = chunk.people.number[chunk.deals.person[deal]]
    return np.asarray(9_000_000_000 + person * OPPORTUNITY_SLOTS + chunk.deals.slot[deal], dtype=np.int64)


def render_deals(chunk: Chunk) -> Tables:
    """Deals that only HubSpot knows, and copies of Salesforce opportunities."""
    deals, steps, people = chunk.deals, chunk.steps, chunk.people
    here = ((~deals.crm) | deals.mirrored) & (deals.kind != RENEWAL)
    delay = np.where(deals.crm, people.sync_delay[deals.person], 0)
    moment = steps.time + delay[steps.deal]
    stage = _STAGE_OF[steps.stage]
    step = here[steps.deal] & chunk.known(moment)
    last = last_of_group(steps.deal, step, len(deals.person))
    rows = np.flatnonzero(last >= 0)
    at = last[rows]
    person = deals.person[rows]
    lost = steps.stage[at] == CLOSED_LOST
    closed = steps.stage[at] >= CLOSED_WON
    deal = {
        "deal_id": integers(deal_number(chunk, rows)),
        "deal_pipeline_id": constant(PIPELINE, len(rows), pa.string()),
        "deal_pipeline_stage_id": pick([name for name, _, _ in DEAL_STAGES], stage[at]),
        "owner_id": integers(owner_number(people.ae[person])),
        "property_dealname": join(
            chunk.names.employer.take(pa.array(person)),
            " - ",
            pick([line.name for line in PRODUCTS], people.product[person]),
        ),
        "property_dealtype": pick(DEAL_KINDS, deals.kind[rows]),
        "property_amount": numbers(np.nan_to_num(steps.amount[at]), ~np.isnan(steps.amount[at])),
        "property_deal_currency_code": pick(CURRENCIES, deal_currency(chunk, rows)),
        "property_createdate": times(deals.created[rows] + delay[rows]),
        "property_closedate": times(np.where(closed, moment[at], steps.close[at])),
        "property_closed_lost_reason": pick(LOSS_REASONS, np.where(lost, loss_reason(chunk, rows), -1)),
        "property_hs_salesforceopportunityid": deal_id(chunk, rows, deals.crm[rows]),
        "property_region": pick(REGIONS, people.region[person]),
        "property_product_line": pick([line.name for line in PRODUCTS], people.product[person]),
        "property_hs_analytics_source": pick([entry.hubspot for entry in SOURCES], people.source[person]),
        "is_deleted": constant(False, len(rows), pa.bool_()),
        "_fivetran_synced": times(synced(moment[at])),
    }
    linked = deals.created[rows] + delay[rows]
    return {
        "hubspot.deal": build("hubspot.deal", len(rows), deal),
        "hubspot.deal_stage": _deal_stages(chunk, step, moment, stage),
        "hubspot.deal_property_history": _deal_properties(chunk, step, moment, stage),
        "hubspot.deal_contact": build(
            "hubspot.deal_contact",
            len(rows),
            {
                "deal_id": integers(deal_number(chunk, rows)),
                "contact_id": integers(contact_number(people.number[person])),
                "type_id": constant(3, len(rows), pa.int64()),
                "category": constant("HUBSPOT_DEFINED", len(rows), pa.string()),
                "_fivetran_synced": times(synced(linked)),
            },
        ),
        "hubspot.deal_company": build(
            "hubspot.deal_company",
            len(rows),
            {
                "deal_id": integers(deal_number(chunk, rows)),
                "company_id": integers(company_number(chunk.companies.number[people.company[person]])),
                "type_id": constant(5, len(rows), pa.int64()),
                "category": constant("HUBSPOT_DEFINED", len(rows), pa.string()),
                "_fivetran_synced": times(synced(linked)),
            },
        ),
    }


def _changes(chunk: Chunk, kept: Bools, value: Ints) -> Ints:
    """Rows of the deal steps where a value differs from the deal's step before."""
    rows = np.flatnonzero(kept)
    deal, values = chunk.steps.deal[rows], value[rows]
    changed = np.r_[True, (deal[1:] != deal[:-1]) | (values[1:] != values[:-1])][: len(rows)]
    return np.asarray(rows[changed], dtype=np.int64)


def _deal_stages(chunk: Chunk, kept: Bools, moment: Ints, stage: Ints) -> Any:
    """Stage history; the active row of a deal ends in 2050, as the loader writes it."""
    rows = _changes(chunk, kept, stage)
    deal = chunk.steps.deal[rows]
    last = np.r_[deal[1:] != deal[:-1], True][: len(rows)]
    following = np.r_[moment[rows][1:], 0][: len(rows)]
    end = np.where(last, _FOREVER, following)
    return build(
        "hubspot.deal_stage",
        len(rows),
        {
            "deal_id": integers(deal_number(chunk, deal)),
            "value": pick([name for name, _, _ in DEAL_STAGES], stage[rows]),
            "date_entered": times(moment[rows]),
            "source": pick(["CRM_UI", "SALESFORCE"], chunk.deals.crm[deal].astype(np.int64)),
            "_fivetran_start": times(moment[rows]),
            "_fivetran_end": times(end),
            "_fivetran_active": flags(last),
            "_fivetran_synced": times(synced(np.where(last, moment[rows], following))),
        },
    )


def _deal_properties(chunk: Chunk, kept: Bools, moment: Ints, stage: Ints) -> Any:
    """History of stage, amount, close date and loss reason as properties; a deal that is not lost has no reason."""
    steps = chunk.steps
    amount = np.where(np.isnan(steps.amount), -1, steps.amount).astype(np.int64)
    closed = np.where(steps.stage >= CLOSED_WON, moment, steps.close)
    reason = np.where(steps.stage == CLOSED_LOST, loss_reason(chunk, steps.deal), -1)
    texts = {
        "dealstage": pick([label for label, _, _ in DEAL_STAGES], stage),
        "amount": integers(amount, amount >= 0).cast(pa.string()),
        # HubSpot keeps times in properties as milliseconds since 1970.
        "closedate": integers(closed).cast(pa.string()),
        "closed_lost_reason": pick(LOSS_REASONS, reason),
    }
    values = {"dealstage": stage, "amount": amount, "closedate": closed, "closed_lost_reason": reason}
    parts = []
    for name, value in values.items():
        rows = _changes(chunk, kept, value)
        # The first row of a deal says nothing when there is nothing to say.
        deal = steps.deal[rows]
        starts = np.r_[True, deal[1:] != deal[:-1]][: len(rows)]
        rows = rows[~starts | (value[rows] >= 0)]
        deal = steps.deal[rows]
        parts.append(
            build(
                "hubspot.deal_property_history",
                len(rows),
                {
                    "deal_id": integers(deal_number(chunk, deal)),
                    "name": constant(name, len(rows), pa.string()),
                    "value": texts[name].take(pa.array(rows)),
                    "timestamp": times(moment[rows]),
                    "source": pick(["CRM_UI", "SALESFORCE"], chunk.deals.crm[deal].astype(np.int64)),
                    "_fivetran_synced": times(synced(moment[rows])),
                },
            )
        )
    return pa.concat_tables(parts)


_ENGAGEMENTS = {CALL: "CALL", MAIL: "EMAIL", MEETING: "MEETING", TO_DO: "TASK"}


def render_engagements(chunk: Chunk, acts: Contacting) -> Tables:
    """What sellers do with persons that only HubSpot knows."""
    keys = chunk.row_keys(len(acts.person))
    recorded = acts.time + 45 * MINUTE * (acts.kind % 4 == MEETING) + 50 * SECOND
    mine = ~acts.crm & chunk.known(recorded) & (chunk.marketing_since[acts.person] <= acts.time)
    tables: Tables = {}
    parts = []
    everything = np.flatnonzero(mine)
    for kind, label in _ENGAGEMENTS.items():
        rows = np.flatnonzero(mine & (acts.kind % 4 == kind))
        missed = (acts.kind[rows] >= 4).astype(np.int64)
        base = {
            "engagement_id": integers(19_000_000_000 + keys[rows]),
            "type": constant(label, len(rows), pa.string()),
            "property_hs_createdate": times(recorded[rows]),
            "property_hs_timestamp": times(acts.time[rows]),
            "property_hubspot_owner_id": integers(owner_number(acts.owner[rows])),
            "_fivetran_deleted": constant(False, len(rows), pa.bool_()),
            "_fivetran_synced": times(synced(recorded[rows])),
        }
        if kind == CALL:
            base |= {
                "property_hs_call_direction": constant("OUTBOUND", len(rows), pa.string()),
                "property_hs_call_disposition": pick(["Connected", "No answer"], missed),
                "property_hs_call_duration": integers(np.where(missed == 1, 20_000, 60_000 + keys[rows] % 900_000)),
                "property_hs_call_status": pick(["COMPLETED", "NO_ANSWER"], missed),
            }
        elif kind == MAIL:
            incoming = (uniform_hash(keys[rows], 85) < 0.28) & (missed == 0)
            base |= {
                "property_hs_email_direction": pick(["EMAIL", "INCOMING_EMAIL"], incoming.astype(np.int64)),
                "property_hs_email_subject": pick(["Your question", "Re: Your question"], incoming.astype(np.int64)),
                "property_hs_email_status": constant("SENT", len(rows), pa.string()),
            }
        elif kind == MEETING:
            base |= {
                "property_hs_meeting_start_time": times(acts.time[rows]),
                "property_hs_meeting_end_time": times(acts.time[rows] + 45 * MINUTE),
                "property_hs_meeting_outcome": constant("COMPLETED", len(rows), pa.string()),
                "property_hs_meeting_title": constant("Demo", len(rows), pa.string()),
            }
        else:
            base |= {
                "property_hs_task_subject": constant("Send material", len(rows), pa.string()),
                "property_hs_task_status": constant("NOT_STARTED", len(rows), pa.string()),
                "property_hs_task_type": constant("TODO", len(rows), pa.string()),
            }
        table = f"hubspot.engagement_{label.lower()}"
        tables[table] = build(table, len(rows), base)
        parts.append(
            build(
                "hubspot.engagement",
                len(rows),
                {
                    "id": base["engagement_id"],
                    "type": base["type"],
                    "portal_id": constant(PORTAL, len(rows), pa.int64()),
                    "_fivetran_synced": base["_fivetran_synced"],
                },
            )
        )
    tables["hubspot.engagement"] = pa.concat_tables(parts)

    def link(table: str, rows: Ints, column: str, target: Ints) -> Any:
        return build(
            table,
            len(rows),
            {
                "engagement_id": integers(19_000_000_000 + keys[rows]),
                column: integers(target),
                "engagement_type": pick(["CALL", "EMAIL", "MEETING", "TASK"], acts.kind[rows] % 4),
                "category": constant("HUBSPOT_DEFINED", len(rows), pa.string()),
                "_fivetran_synced": times(synced(recorded[rows])),
            },
        )

    numbers_of = contact_number(chunk.people.number[acts.person[everything]])
    tables["hubspot.engagement_contact"] = link("hubspot.engagement_contact", everything, "contact_id", numbers_of)
    company = chunk.companies.number[chunk.people.company[acts.person[everything]]]
    tables["hubspot.engagement_company"] = link(
        "hubspot.engagement_company", everything, "company_id", company_number(company)
    )
    of_deal = everything[acts.deal[everything] >= 0]
    tables["hubspot.engagement_deal"] = link(
        "hubspot.engagement_deal", of_deal, "deal_id", deal_number(chunk, acts.deal[of_deal])
    )
    return tables


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


FORMS = (("f1a6c0de-demo", "Request a demo"), ("f2a6c0de-guide", "Download guide"), ("f3a6c0de-news", "Newsletter"))
FORM_PATHS = ("/demo", "/whitepaper/lead-times", "/newsletter")


@dataclass
class Submissions:
    """Forms filled in: pass start or subscription of marketing persons."""

    person: Ints
    time: Ints
    form: Ints


def plan_forms(chunk: Chunk) -> Submissions:
    """One form at the beginning of each marketing pass, and one for each newsletter subscription."""
    passes = chunk.passes
    begins = passes.marketing & ((passes.inquiry != NEVER) | ((passes.mql != NEVER) & (passes.handed_over != NEVER)))
    rows = np.flatnonzero(begins)
    start = np.minimum(passes.inquiry[rows], passes.mql[rows])
    rushed = passes.mql[rows] < start + 3 * HOUR
    readers = np.flatnonzero(chunk.people.subscribed != NEVER)
    # Half a second after the contact came into being, so that it is never an orphan.
    return Submissions(
        person=np.r_[passes.person[rows], readers],
        time=np.r_[start, chunk.people.subscribed[readers]] + SECOND // 2,
        form=np.r_[np.where(rushed, 0, 1), np.full(len(readers), 2)].astype(np.int64),
    )


def render_forms(chunk: Chunk, forms: Submissions) -> Tables:
    """Table contact_form_submission."""
    keys = chunk.row_keys(len(forms.person))
    rows = np.flatnonzero(chunk.known(forms.time))
    table = build(
        "hubspot.contact_form_submission",
        len(rows),
        {
            "contact_id": integers(contact_number(chunk.people.number[forms.person[rows]])),
            "form_id": pick([guid for guid, _ in FORMS], forms.form[rows]),
            "conversion_id": uuid(keys[rows], 311),
            "timestamp": times(forms.time[rows]),
            "page_url": join(
                pick(
                    ["https://www.leadlag-demo.eu", "https://www.leadlag-demo.io"], site_of(chunk, forms.person[rows])
                ),
                pick(FORM_PATHS, forms.form[rows]),
            ),
            "title": pick([name for _, name in FORMS], forms.form[rows]),
            "portal_id": constant(PORTAL, len(rows), pa.int64()),
            "_fivetran_synced": times(synced(forms.time[rows])),
        },
    )
    return {"hubspot.contact_form_submission": table}


def site_of(chunk: Chunk, person: Ints) -> Ints:
    """0 for the European site, 1 for the American one."""
    return np.asarray(chunk.people.region[person] == NA, dtype=np.int64)


def render_world(settings: Settings, world: World) -> Tables:
    """Tables that do not depend on leads: owners, pipelines, forms, e-mail campaigns."""
    reps = world.reps
    count = len(reps)
    since = np.full(count, settings.begin - 30 * DAY, dtype=np.int64)
    owners = {
        "owner_id": integers(owner_number(np.arange(count, dtype=np.int64))),
        "email": pa.array([rep.email for rep in reps]),
        "first_name": pa.array([rep.name.split()[0] for rep in reps]),
        "last_name": pa.array([rep.name.split()[1] for rep in reps]),
        "type": constant("PERSON", count, pa.string()),
        "portal_id": constant(PORTAL, count, pa.int64()),
        "active_user_id": integers(7_000 + np.arange(count, dtype=np.int64), np.array([rep.active for rep in reps])),
        "created_at": times(since),
        "updated_at": times(since),
        "_fivetran_synced": times(synced(since)),
    }
    stages = np.arange(len(DEAL_STAGES), dtype=np.int64)
    base = since[:1]
    wide = np.full(len(stages), base[0], dtype=np.int64)
    stage = {
        "stage_id": pa.array([name for name, _, _ in DEAL_STAGES]),
        "pipeline_id": constant(PIPELINE, len(stages), pa.string()),
        "label": pa.array([label for _, label, _ in DEAL_STAGES]),
        "display_order": integers(stages),
        "probability": numbers(np.array([odds for _, _, odds in DEAL_STAGES])),
        "is_closed": flags(stages >= 4),
        "closed_won": flags(stages == 4),
        "active": constant(True, len(stages), pa.bool_()),
        "created_at": times(wide),
        "updated_at": times(wide),
        "_fivetran_deleted": constant(False, len(stages), pa.bool_()),
        "_fivetran_synced": times(synced(wide)),
    }
    pipeline = {
        "pipeline_id": pa.array([PIPELINE]),
        "label": pa.array(["Sales Pipeline"]),
        "active": pa.array([True]),
        "display_order": integers(np.zeros(1, dtype=np.int64)),
        "created_at": times(base),
        "updated_at": times(base),
        "_fivetran_deleted": pa.array([False]),
        "_fivetran_synced": times(synced(base)),
    }
    form_since = np.full(len(FORMS), base[0], dtype=np.int64)
    forms = {
        "guid": pa.array([guid for guid, _ in FORMS]),
        "name": pa.array([name for _, name in FORMS]),
        "form_type": constant("HUBSPOT", len(FORMS), pa.string()),
        "method": constant("POST", len(FORMS), pa.string()),
        "portal_id": constant(PORTAL, len(FORMS), pa.int64()),
        "created_at": times(form_since),
        "updated_at": times(form_since),
        "_fivetran_synced": times(synced(form_since)),
    }
    mailings = world.mailings
    made = np.array([m.sent - DAY if m.sent > 0 else settings.begin - DAY for m in mailings], dtype=np.int64)
    rows = np.flatnonzero(made <= settings.until)
    campaigns = {
        "id": integers(75_310_000 + rows),
        "name": pa.array([mailings[i].name for i in rows], pa.string()),
        "subject": pa.array([mailings[i].subject for i in rows], pa.string()),
        "type": pa.array([mailings[i].kind for i in rows], pa.string()),
        "app_id": constant(2286, len(rows), pa.int64()),
        "app_name": constant("Batch", len(rows), pa.string()),
        "_fivetran_synced": times(synced(made[rows])),
    }
    return {
        "hubspot.owner": build("hubspot.owner", count, owners),
        "hubspot.deal_pipeline": build("hubspot.deal_pipeline", 1, pipeline),
        "hubspot.deal_pipeline_stage": build("hubspot.deal_pipeline_stage", len(stages), stage),
        "hubspot.form": build("hubspot.form", len(FORMS), forms),
        "hubspot.email_campaign": build("hubspot.email_campaign", len(rows), campaigns),
    }
