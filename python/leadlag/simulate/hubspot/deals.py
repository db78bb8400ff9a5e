"""Deals that only HubSpot knows, and copies of Salesforce opportunities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import Bools, Ints, constant, flags, integers, join, numbers, pick, synced, times
from leadlag.simulate.hubspot.ids import company_number, contact_number, owner_number
from leadlag.simulate.journeys import OPPORTUNITY_SLOTS
from leadlag.simulate.plan import CLOSED_LOST, CLOSED_WON, RENEWAL, Chunk
from leadlag.simulate.salesforce.deals import LOSS_REASONS, deal_currency, loss_reason
from leadlag.simulate.salesforce.ids import Tables, deal_id, last_of_group
from leadlag.simulate.tables import build
from leadlag.simulate.world import CURRENCIES, PRODUCTS, REGIONS, SOURCES

_FOREVER = 2_524_608_000_000  # 2050-01-01, the loader's end of a row that is still valid
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
