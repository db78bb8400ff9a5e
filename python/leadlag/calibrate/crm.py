"""The CRM's own percentages, as they stood at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from leadlag.forecast.journeys import Floats, Ints, local_days
from leadlag.warehouse import Warehouse

_EVENTS = "int_input__opportunity_stage_event"
_COLUMNS = (
    *("opportunity_key", "source_system", "probability", "is_closed"),
    *("occurred_at", "known_at", "event_sequence"),
)


class Percentages:
    """Percentages of opportunities by the time at which they were recorded.

    Args:
        rows: journey (its number) and _COLUMNS, times in UTC.
        zone: business time zone.
    """

    def __init__(self, rows: pd.DataFrame, zone: str) -> None:
        time = local_days(rows["occurred_at"], zone)
        known = np.fmax(local_days(rows["known_at"], zone), time)
        order = np.lexsort((rows["event_sequence"].fillna(0).to_numpy(), time, rows["opportunity_key"].to_numpy()))
        self._opportunity, self._journey = (rows[name].to_numpy()[order] for name in ("opportunity_key", "journey"))
        self._known, self._source = known[order], rows["source_system"].astype(str).to_numpy()[order]
        self._probability = rows["probability"].to_numpy(dtype=np.float64, na_value=np.nan)[order]
        self._closed = rows["is_closed"].fillna(False).to_numpy(dtype=bool)[order]

    def at(self, moment: float) -> dict[str, tuple[Ints, Floats]]:
        """By source: journeys with an open opportunity that had a percentage, and the highest of them, 0 to 1."""
        here = np.flatnonzero(self._known < moment)
        last = np.ones(len(here), dtype=bool)
        last[:-1] = self._opportunity[here][1:] != self._opportunity[here][:-1]
        here = here[last]
        here = here[~self._closed[here] & ~np.isnan(self._probability[here])]
        found = {}
        for source in np.unique(self._source[here]):
            mine = here[self._source[here] == source]
            mine = mine[np.lexsort((self._probability[mine], self._journey[mine]))]
            highest = np.ones(len(mine), dtype=bool)
            highest[:-1] = self._journey[mine][1:] != self._journey[mine][:-1]
            found[str(source)] = self._journey[mine[highest]].astype(np.int64), self._probability[mine[highest]]
        return found


def read_percentages(warehouse: Warehouse, keys: pd.DataFrame, zone: str) -> tuple[Percentages | None, str | None]:
    """Percentages of the opportunities that count, or why there are none.

    Args:
        keys: journey_key by number of the journey.
    """
    events, deals = f"{warehouse.schema}_intermediate", f"{warehouse.schema}_marts"
    if _EVENTS not in warehouse.tables(events):
        return None, f"there is no {events}.{_EVENTS}"
    lacking = set(_COLUMNS) - set(warehouse.query(f"select * from {events}.{_EVENTS} where 1 = 0").columns)
    if lacking:
        return None, f"{events}.{_EVENTS} has no column {', '.join(sorted(lacking))}"
    rows = warehouse.query(
        f"""
        select
            deal.journey_key, {", ".join(f"event.{column}" for column in _COLUMNS)}
        from {events}.{_EVENTS} as event
        inner join {deals}.fct_opportunity as deal on event.opportunity_key = deal.opportunity_key
        where deal.is_counted and deal.journey_key is not null
        """
    )
    rows["journey"] = pd.Index(keys["journey_key"]).get_indexer(rows["journey_key"])
    rows = rows[rows["journey"] >= 0]
    if rows["probability"].isna().all():
        return None, "opportunities have no percentages"
    return Percentages(rows, zone), None
