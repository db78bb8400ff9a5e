"""Tables that do not depend on leads: owners, pipelines, forms, e-mail campaigns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import DAY, constant, flags, integers, numbers, synced, times
from leadlag.simulate.hubspot.deals import DEAL_STAGES, PIPELINE
from leadlag.simulate.hubspot.forms import FORMS
from leadlag.simulate.hubspot.ids import PORTAL, owner_number
from leadlag.simulate.salesforce.ids import Tables
from leadlag.simulate.settings import Settings
from leadlag.simulate.tables import build
from leadlag.simulate.world import World


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
