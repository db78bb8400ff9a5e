"""Forms that people fill in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import (
    HOUR,
    NEVER,
    SECOND,
    Ints,
    constant,
    integers,
    join,
    pick,
    synced,
    times,
    uniform_hash,
    uuid,
)
from leadlag.simulate.hubspot.ids import PORTAL, contact_number, site_of
from leadlag.simulate.plan import Chunk
from leadlag.simulate.salesforce.ids import Tables
from leadlag.simulate.tables import build

FORMS = (("f1a6c0de-demo", "Request a demo"), ("f2a6c0de-guide", "Download guide"), ("f3a6c0de-news", "Newsletter"))
# What people answer on the first form, by place in SOURCES; some name none of them.
QUESTION = "how_did_you_hear_about_us"
ANSWERS = ("Search engine", "Google Ads", "LinkedIn", "Social media", "Newsletter", "Recommendation", "A podcast")
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


def render_answers(chunk: Chunk, forms: Submissions) -> Any:
    """Rows of contact_property_history: where people who ask for a demo say that they come from.

    Half of them answer; a third of these do not remember what it was, and say something else.
    """
    number = chunk.people.number[forms.person]
    says = uniform_hash(number, 312)
    rows = np.flatnonzero(chunk.known(forms.time) & (forms.form == 0) & (says < 0.5))
    true = np.minimum(chunk.people.source[forms.person[rows]], len(ANSWERS) - 1)
    wrong = (uniform_hash(number[rows], 313) * len(ANSWERS)).astype(np.int64)
    return build(
        "hubspot.contact_property_history",
        len(rows),
        {
            "contact_id": integers(contact_number(number[rows])),
            "name": constant(QUESTION, len(rows), pa.string()),
            "value": pick(ANSWERS, np.where(says[rows] < 1 / 3, true, wrong)),
            "timestamp": times(forms.time[rows]),
            "source": constant("FORM", len(rows), pa.string()),
            "_fivetran_synced": times(synced(forms.time[rows])),
        },
    )
