"""Puts a run together: chunk by chunk from the plan to the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from leadlag.simulate import ads, defects, product, web
from leadlag.simulate.arrays import NEVER, SECOND, constant, integers, numbers, pick, times
from leadlag.simulate.hubspot import contacts as hubspot_contacts
from leadlag.simulate.hubspot import deals as hubspot_deals
from leadlag.simulate.hubspot import emails as hubspot_emails
from leadlag.simulate.hubspot import engagements as hubspot_engagements
from leadlag.simulate.hubspot import forms as hubspot_forms
from leadlag.simulate.hubspot import setup as hubspot_setup
from leadlag.simulate.hubspot.ids import contact_number
from leadlag.simulate.journeys import (
    BASE,
    DELETED_SLOT,
    LEAD_SLOTS,
    RESPONSE_EFFECT,
    RETURN_SHARE,
    SCORE_WEIGHT,
    TRIAL_EFFECT,
    stage_events,
)
from leadlag.simulate.people import NURTURE_EFFECT
from leadlag.simulate.plan import Chunk, DefectLog, make_chunk
from leadlag.simulate.salesforce import accounts as salesforce_accounts
from leadlag.simulate.salesforce import activities as salesforce_activities
from leadlag.simulate.salesforce import campaigns as salesforce_campaigns
from leadlag.simulate.salesforce import deals as salesforce_deals
from leadlag.simulate.salesforce import leads as salesforce_leads
from leadlag.simulate.salesforce import setup as salesforce_setup
from leadlag.simulate.salesforce.ids import Tables, contact_id, lead_id
from leadlag.simulate.salesforce.leads import Leads
from leadlag.simulate.settings import STAGE_NAMES, Settings
from leadlag.simulate.tables import SCHEMAS, build
from leadlag.simulate.truth import walk
from leadlag.simulate.web import Entrances, make_entrances
from leadlag.simulate.world import COUNTRIES, PRODUCTS, REGIONS, SOURCES, World, make_world

# Persons a chunk: large enough for vector operations, small enough for a few hundred megabytes.
CHUNK = 50_000

Progress = Callable[[int], None]


def render_chunk(chunk: Chunk, entrances: Entrances) -> Tables:
    """All tables of one chunk of persons."""
    tables: Tables = {}
    emails, clicks = hubspot_emails.render_emails(chunk)
    forms = hubspot_forms.plan_forms(chunk)
    visits = web.plan_visits(chunk, entrances, forms, clicks)
    origin = web.origin(chunk, entrances, visits)

    leads, statuses = salesforce_leads.plan_leads(chunk)
    tables |= salesforce_leads.render_leads(chunk, leads, statuses, origin)
    tables |= salesforce_accounts.render_contacts(chunk)
    tables |= salesforce_deals.render_deals(chunk)
    tables |= salesforce_campaigns.render_members(chunk, leads)
    acts = salesforce_activities.plan_activities(chunk)
    tables |= salesforce_activities.render_activities(chunk, acts)

    history = hubspot_contacts.plan_history(chunk)
    tables |= hubspot_contacts.render_contacts(chunk, history, leads, origin)
    tables |= hubspot_deals.render_deals(chunk)
    tables |= hubspot_engagements.render_engagements(chunk, acts)
    tables |= emails
    tables |= hubspot_forms.render_forms(chunk, forms)

    views = web.render_page_views(chunk, entrances, visits)
    tables["web.page_view"] = defects.spoil_text_times(chunk, "web.page_view", views, "page_view_id", "viewed_at", 540)
    tables["web.identify"] = web.render_identify(chunk, forms, clicks)
    usage = product.render(chunk)
    tables["product.event"] = defects.spoil_text_times(chunk, "product.event", usage, "event_id", "occurred_at", 550)

    name = "salesforce.lead_history"
    tables[name] = defects.spoil_lead_history(chunk, tables[name], leads, statuses)
    name = "hubspot.contact_property_history"
    spoiled = defects.spoil_property_history(chunk, tables[name], history)
    tables[name] = pa.concat_tables([spoiled, hubspot_forms.render_answers(chunk, forms)])
    defects.add_junk_deals(chunk, tables)
    defects.delete_tasks(chunk, tables)
    tables |= _truth(chunk, leads)
    return tables


def _truth(chunk: Chunk, leads: Leads) -> Tables:
    """The true persons, records and journeys as far as they are recorded."""
    people, until = chunk.people, chunk.settings.until
    first_lead = np.full(len(people), NEVER, dtype=np.int64)
    np.minimum.at(first_lead, leads.person, leads.created)
    first = np.minimum(np.minimum(chunk.marketing_since, chunk.contact_since), first_lead)
    who = np.flatnonzero(first <= until)
    number = people.number[who]
    at = pa.array(who)
    kinds = ("marketing_and_sales", "sales_only", "marketing_only")
    person = {
        "person_id": integers(number),
        "email": chunk.names.email.take(at),
        "full_name": chunk.names.full.take(at),
        "region": pick(REGIONS, people.region[who]),
        "country": pick([entry.name for entry in COUNTRIES], people.country[who]),
        "product_line": pick([line.name for line in PRODUCTS], people.product[who]),
        "lead_source": pick([entry.name for entry in SOURCES], people.source[who]),
        "kind": pick(kinds, people.kind[who]),
        "interest": numbers(people.interest[who]),
        "nurture_variant": pick(["control", "personalised"], people.nurtured[who].astype(np.int64)),
        "is_trial": pa.array(people.trial[who]),
        "first_recorded_at": times(first[who]),
    }
    records = _records(chunk, leads)

    journeys, returns = walk(stage_events(chunk.passes), until)
    names = [STAGE_NAMES[code] for code in range(1, 10)]
    journey = {
        "person_id": integers(people.number[journeys.person]),
        "journey_number": integers(journeys.number),
        "entered_at": times(journeys.entered),
        "outcome": pick(["open", *names], journeys.outcome),
        "ended_at": times(journeys.ended),
    }
    for level, name in enumerate(names[:6]):
        journey[f"{name}_at"] = times(journeys.milestones[level])
    reentry = {
        "person_id": integers(people.number[returns.person]),
        "terminal_stage": pick(names, returns.stage - 1),
        "ended_at": times(returns.ended),
        "returned_at": times(returns.returned),
        "min_gap_days": integers(returns.gap_days),
        "gap_seconds": integers((returns.returned - returns.ended) // SECOND),
        "starts_journey": pa.array(returns.fresh == 1),
    }
    return {
        "truth.person": build("truth.person", len(who), person),
        "truth.record": records,
        "truth.journey": build("truth.journey", len(journeys.person), journey),
        "truth.reentry": build("truth.reentry", len(returns.person), reentry),
        "truth.defect": pa.concat_tables(chunk.log.tables),
    }


def _records(chunk: Chunk, leads: Leads) -> Any:
    until = chunk.settings.until
    number = chunk.people.number
    contacts = np.flatnonzero(chunk.contact_since <= until)
    real = np.flatnonzero((leads.created <= until) & (leads.slot != DELETED_SLOT))
    person, slot, created = hubspot_contacts.contact_records(chunk)
    known = created <= until
    person, slot, created = person[known], slot[known], created[known]
    parts = (
        (
            "salesforce",
            "lead",
            lead_id(number[leads.person[real]] * LEAD_SLOTS + leads.slot[real]),
            number[leads.person[real]],
            leads.created[real],
        ),
        (
            "salesforce",
            "contact",
            contact_id(chunk, contacts),
            number[contacts],
            chunk.contact_since[contacts],
        ),
        (
            "hubspot",
            "contact",
            pa.array(contact_number(number[person], slot)).cast(pa.string()),
            number[person],
            created,
        ),
    )
    return pa.concat_tables(
        [
            build(
                "truth.record",
                len(owner),
                {
                    "source_system": constant(system, len(owner), pa.string()),
                    "record_type": constant(kind, len(owner), pa.string()),
                    "source_id": identifier,
                    "person_id": integers(owner),
                    "created_at": times(since),
                },
            )
            for system, kind, identifier, owner, since in parts
        ]
    )


def _parameters(settings: Settings, world: World) -> Any:
    """What the run was asked to do, and the planted effects (log-odds unless named otherwise)."""
    rows: dict[str, object] = {
        "leads": settings.leads,
        "seed": settings.seed,
        "start": str(np.datetime64(settings.start, "D")),
        "until": str(np.datetime64(settings.until, "ms")),
        "defects": ",".join(sorted(settings.defects)),
        "effect.response_time_per_log_hours": RESPONSE_EFFECT,
        "effect.trial_on_opportunity": TRIAL_EFFECT,
        "effect.nurture_on_mql": NURTURE_EFFECT,
    }
    rows |= {f"base.{step}": value for step, value in BASE.items()}
    rows |= {f"score_weight.{step}": value for step, value in SCORE_WEIGHT.items()}
    rows |= {f"effect.lead_source.{source.name}": source.effect for source in SOURCES}
    rows |= {f"effect.product_line.{line.name}": line.effect for line in PRODUCTS}
    rows |= {f"return_share.{STAGE_NAMES[stage]}": share for stage, share in RETURN_SHARE.items()}
    rows |= {f"rep_skill.{rep.email}": round(rep.skill, 6) for rep in world.reps}
    columns = {"name": pa.array(list(rows)), "value": pa.array([str(value) for value in rows.values()])}
    return build("truth.parameters", len(rows), columns)


def generate(settings: Settings, progress: Progress | None = None) -> Iterator[Tables]:
    """Yield the tables of a run in parts: those without leads, one part a chunk of persons, the parameters.

    Every table of `tables.SCHEMAS` occurs in at least one part. Concatenating the parts gives the whole tables.

    Args:
        settings: checked parameters of the run.
        progress: called with the number of persons finished since the last call.
    """
    world = make_world(settings)
    log = DefectLog(settings.until)
    shared: Tables = salesforce_setup.render_world(settings, world)
    shared |= hubspot_setup.render_world(settings, world)
    shared |= ads.render(settings, world, log)
    shared["truth.defect"] = pa.concat_tables(log.tables)
    for name in SCHEMAS:
        shared.setdefault(name, build(name, 0, {}))
    yield shared
    entrances = make_entrances(world)
    for index, first in enumerate(range(0, settings.leads, CHUNK)):
        count = min(CHUNK, settings.leads - first)
        yield render_chunk(make_chunk(settings, world, index, first, count), entrances)
        if progress is not None:
            progress(count)
    # Last, so that a run that broke off leaves this table empty.
    yield {"truth.parameters": _parameters(settings, world)}
