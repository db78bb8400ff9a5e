"""Opportunity tables: the opportunity, both histories, contact roles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from leadlag.simulate.arrays import (
    NEVER,
    Bools,
    Floats,
    Ints,
    constant,
    dates,
    flags,
    join,
    numbers,
    pick,
    salesforce_id,
    synced,
    times,
    uniform_hash,
)
from leadlag.simulate.journeys import OPPORTUNITY_SLOTS
from leadlag.simulate.plan import CLOSED_LOST, CLOSED_WON, Chunk
from leadlag.simulate.salesforce.campaigns import chunk_campaign
from leadlag.simulate.salesforce.ids import (
    Tables,
    account_id,
    campaign_id,
    contact_id,
    deal_id,
    last_of_group,
    rep_id,
    source_text,
)
from leadlag.simulate.tables import build
from leadlag.simulate.world import COUNTRIES, CURRENCIES, PRODUCTS, REGIONS, TRADE_SHOW

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
        "lead_source": source_text(chunk, person),
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
