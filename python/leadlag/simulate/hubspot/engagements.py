"""What sellers do with persons that only HubSpot knows: the engagement tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import MINUTE, SECOND, Ints, constant, integers, pick, synced, times, uniform_hash
from leadlag.simulate.hubspot.deals import deal_number
from leadlag.simulate.hubspot.ids import PORTAL, company_number, contact_number, owner_number
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.activities import CALL, MAIL, MEETING, TO_DO, Contacting
from leadlag.simulate.salesforce.ids import Tables
from leadlag.simulate.tables import build

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
