"""Forms that people fill in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import HOUR, NEVER, SECOND, Ints, constant, integers, join, pick, synced, times, uuid
from leadlag.simulate.hubspot.ids import PORTAL, contact_number, site_of
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import Tables
from leadlag.simulate.tables import build

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
