"""Tables that do not depend on leads: users, roles, campaigns, opportunity stages."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from leadlag.simulate.arrays import DAY, constant, dates, flags, integers, numbers, pick, salesforce_id, synced, times
from leadlag.simulate.clock import ZONE_NAMES
from leadlag.simulate.plan import CLOSED_WON, STAGE_PROBABILITY
from leadlag.simulate.salesforce.deals import FORECAST_CATEGORIES, FORECAST_NAMES, STAGE_LABELS
from leadlag.simulate.salesforce.ids import Tables, campaign_id, rep_id
from leadlag.simulate.settings import Settings
from leadlag.simulate.tables import build
from leadlag.simulate.world import CURRENCIES, REGION_ZONE, ROLES, World


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
