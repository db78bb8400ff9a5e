"""What a forecast reads: marts, and the clock that they were built by."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from leadlag.cli import CommandError
from leadlag.forecast.journeys import Change, Events, events_of, local_days
from leadlag.forecast.pipeline import Pipeline, pipeline_of
from leadlag.warehouse import Warehouse

# What of the marts is read, by mart.
NEEDED = {
    "fct_stage_event": ("journey_key", "stage", "occurred_at", "recorded_at", "resolution", "movement", "is_milestone"),
    "fct_journey": ("journey_key", "person_key", "region", "product_line"),
    "fct_opportunity": ("opportunity_key", "journey_key", "amount", "amount_base", "won_at", "is_counted"),
}


@dataclass(frozen=True)
class Company:
    """Journeys of a warehouse and its clock.

    Attributes:
        as_of: of the marts, UTC. origin: the business day that as_of falls in, as days since 1970: forecasts begin with it, and what
            was recorded on it is not used yet.
        keys: journey_key and person_key by number of the journey in the events.
        pipeline: states of opportunities; None where there are none.
    """

    events: Events
    as_of: datetime
    origin: float
    keys: pd.DataFrame
    pipeline: Pipeline | None


def project_variable(folder: Path, name: str, given: dict[str, Any]) -> Any:
    """A dbt variable as dbt would find it: of the call, of the project (for the package first), of the package."""
    if name in given:
        return given[name]
    for path in (folder / "dbt_project.yml", folder / "dbt_packages" / "leadlag" / "dbt_project.yml"):
        if path.is_file():
            declared = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("vars") or {}
            for place in (declared.get("leadlag") or {}, declared):
                if name in place:
                    return place[name]
    return None


def read_company(warehouse: Warehouse, zone: str) -> Company:
    """Journeys, from the marts.

    Raises:
        CommandError: a mart or a column is missing, or there are no journeys.
    """
    marts, clock_schema = f"{warehouse.schema}_marts", f"{warehouse.schema}_intermediate"
    there = warehouse.tables(marts)
    missing = sorted(set(NEEDED) - there)
    if missing or "int_input__clock" not in warehouse.tables(clock_schema):
        what = ", ".join(f"{marts}.{name}" for name in missing) or f"{clock_schema}.int_input__clock"
        raise CommandError(f"there is no {what}; run `dbt build` first")
    for mart, columns in NEEDED.items():
        found = set(warehouse.query(f"select * from {marts}.{mart} where 1 = 0").columns)
        lacking = [column for column in columns if column not in found]
        if lacking:
            raise CommandError(
                f"{marts}.{mart} has no column {', '.join(lacking)}: it was built by another version; run `dbt build --full-refresh`"
            )
    as_of = warehouse.query(f"select as_of from {clock_schema}.int_input__clock")["as_of"]
    rows = warehouse.query(
        f"""
        select
            event.journey_key, journey.person_key, event.stage, event.occurred_at, event.recorded_at,
            journey.region, journey.product_line, deal.amount
        from {marts}.fct_stage_event as event
        inner join {marts}.fct_journey as journey on event.journey_key = journey.journey_key
        left join (
            select journey_key, cast(sum(amount_base) as double precision) as amount
            from {marts}.fct_opportunity
            where is_counted and won_at is not null and journey_key is not null
            group by journey_key
        ) as deal on event.journey_key = deal.journey_key
        where event.resolution = 'effective' and (event.is_milestone or event.movement = 'outcome')
        """
    )
    if rows.empty or pd.isna(as_of.iloc[0]):
        raise CommandError(f"{marts}.fct_stage_event has no journeys to forecast from")
    origin = float(np.floor(local_days(as_of, zone)[0]))
    try:
        events = events_of(rows, zone)
    except ValueError as error:
        raise CommandError(f"{marts}.fct_stage_event: {error}") from None
    keys = rows[["journey_key", "person_key"]].drop_duplicates("journey_key")
    keys = keys.sort_values("journey_key", ignore_index=True)
    events = dataclasses.replace(events, changes=_changes(warehouse))
    return Company(events, pd.Timestamp(as_of.iloc[0]).to_pydatetime(), origin, keys, _pipeline(warehouse, zone))


def _changes(warehouse: Warehouse) -> tuple[Change, ...]:
    """Changes of the organisation (seed org_change) that concern all KPIs."""
    policy = f"{warehouse.schema}_policy"
    if "org_change" not in warehouse.tables(policy):
        return ()
    rows = warehouse.query(
        f"select org_change, changed_on, region, product_line from {policy}.org_change where kpi = '*'"
    )
    return tuple(
        Change(float((pd.Timestamp(day) - pd.Timestamp("1970-01-01")).days), str(name), str(region), str(line))
        for name, day, region, line in rows.itertuples(index=False)
    )


def _pipeline(warehouse: Warehouse, zone: str) -> Pipeline | None:
    """States of the opportunities that count. Their amounts are converted at the rate of the opportunity."""
    marts, inputs = f"{warehouse.schema}_marts", f"{warehouse.schema}_intermediate"
    if "int_input__opportunity_stage_event" not in warehouse.tables(inputs):
        return None
    rows = warehouse.query(
        f"""
        select
            event.opportunity_key, event.occurred_at, event.recorded_at, event.event_sequence, event.is_closed,
            cast(event.probability as double precision) as probability,
            cast(event.amount * deal.amount_base / nullif(deal.amount, 0) as double precision) as amount
        from {inputs}.int_input__opportunity_stage_event as event
        inner join {marts}.fct_opportunity as deal on event.opportunity_key = deal.opportunity_key
        where deal.is_counted
        """
    )
    return None if rows.empty else pipeline_of(rows, zone)
