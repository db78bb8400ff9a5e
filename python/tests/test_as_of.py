"""Rebuilding with an older as_of gives what was knowable then.

A build of all rows as of a time and a build of the rows recorded by that time give the same marts, row for row.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import GROUND_ONLY
from contract_build import SHIPPED_POLICIES, ContractBuild, Warehouse, truncated
from histories import chains, draw_many, histories, place, row
from leadlag.compare import SPREAD
from oracle import Settings, read_policies

SENTINEL_AT = datetime.fromisoformat("2024-07-15 09:30:00")
TIMES = {
    "last_row_included": SENTINEL_AT,
    "last_row_excluded": SENTINEL_AT - timedelta(microseconds=1),
    "early": datetime.fromisoformat("2024-03-31 01:00:00"),
}
MARTS = "leadlag.marts"


class Builds:
    """Builds of one set of histories, each at most once."""

    def __init__(self, run_dbt: Callable[..., Any], folder: Path) -> None:
        self.project = ContractBuild(run_dbt, folder)
        self.folder = folder
        policies = read_policies(SHIPPED_POLICIES)
        settings = Settings()
        drawn = [
            *draw_many(histories(policies, settings, SENTINEL_AT), 150, 1),
            *draw_many(chains(policies, settings, SENTINEL_AT), 4, 1),
        ]
        self.tables = place(drawn)
        # With this accepted row, what was recorded by SENTINEL_AT has SENTINEL_AT as its own clock.
        record = {"source_system": "salesforce", "source_table": "lead", "source_id": "sentinel", "record_type": "lead"}
        self.tables["lead_record"].append(
            row("lead_record", **record, occurred_at=SENTINEL_AT, recorded_at=SENTINEL_AT, is_deleted=False)
        )
        self.done: dict[tuple[datetime | None, datetime | None], Warehouse] = {}

    def marts(self, known_by: datetime | None, as_of: datetime | None) -> dict[str, Counter[tuple[Any, ...]]]:
        """All rows of all marts, from the rows recorded by `known_by` (all when None), built as of `as_of`."""
        if (known_by, as_of) not in self.done:
            tables = self.tables if known_by is None else truncated(self.tables, known_by)
            path = self.folder / str(len(self.done)) / "leadlag.duckdb"
            # KPIs are sums of the rest; once is enough for them.
            flags = () if as_of == TIMES["early"] else GROUND_ONLY
            self.done[known_by, as_of] = self.project.build(
                path, tables, Settings(as_of=as_of), select=[MARTS], flags=flags
            )
        return self.read(self.done[known_by, as_of])

    @staticmethod
    def read(warehouse: Warehouse) -> dict[str, Counter[tuple[Any, ...]]]:
        """All rows of all marts; sums of doubles, which add up in no fixed order, to nine digits."""

        def cell(value: Any) -> Any:
            return float(f"{value:.9g}") if isinstance(value, float) else value

        return {
            name: Counter(
                tuple((column, cell(value)) for column, value in found.items()) for found in warehouse.read(name)
            )
            for name in warehouse.relations("_marts")
            if name not in SPREAD
        }


@pytest.fixture(scope="module")
def builds(run_dbt: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Builds:
    return Builds(run_dbt, tmp_path_factory.mktemp("as_of"))


def differences(one: dict[str, Counter[tuple[Any, ...]]], other: dict[str, Counter[tuple[Any, ...]]]) -> str:
    """Marts that differ, with one row of each side."""
    assert set(one) == set(other)
    lines = []
    for name, rows in one.items():
        left, right = rows - other[name], other[name] - rows
        if left or right:
            lines.append(f"{name}: {left.total()} rows only in the first, {right.total()} only in the second")
            lines += [f"  {dict(found)}" for side in (left, right) for found in sorted(side, key=str)[:1]]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(moment, id=name, marks=[pytest.mark.long] * (name == "last_row_excluded"))
        for name, moment in TIMES.items()
    ],
)
def test_as_of_is_what_was_recorded_by_then(moment: datetime, builds: Builds) -> None:
    rebuilt = builds.marts(known_by=None, as_of=moment)
    assert rebuilt["fct_journey"] and rebuilt["fct_conversion"]
    found = differences(rebuilt, builds.marts(known_by=moment, as_of=moment))
    assert not found, found


def test_newest_row_is_the_clock(builds: Builds) -> None:
    found = differences(builds.marts(None, SENTINEL_AT), builds.marts(known_by=SENTINEL_AT, as_of=None))
    assert not found, found


def test_as_of_matters(builds: Builds) -> None:
    """The comparison would be worth nothing if all of these builds were the same."""
    included, excluded = (builds.marts(None, TIMES[name]) for name in ("last_row_included", "last_row_excluded"))
    assert included["dim_person"].total() == excluded["dim_person"].total() + 1
    assert included["fct_journey"].total() > builds.marts(None, TIMES["early"])["fct_journey"].total()


@pytest.mark.long
def test_naming_the_clock_changes_nothing(builds: Builds) -> None:
    """The opportunity is recorded after the newest change of its stage: the row that others refer to sets the clock."""
    story = {"source_system": "salesforce", "record_type": "lead"}
    tables: dict[str, list[dict[str, Any]]] = {entity: [] for entity in builds.tables}
    created, changed = SENTINEL_AT - timedelta(days=1), SENTINEL_AT
    tables["lead_record"] = [
        row("lead_record", **story, source_table="lead", source_id="one", occurred_at=created, is_deleted=False)
    ]
    tables["opportunity"] = [
        row("opportunity", **story, source_table="opportunity", source_id="deal", record_source_id="one")
        | {"occurred_at": created, "recorded_at": changed + timedelta(days=1), "is_deleted": False}
    ]
    tables["opportunity_stage_event"] = [
        row("opportunity_stage_event", source_system="salesforce", source_table="opportunity_history", source_id="won")
        | {"opportunity_source_id": "deal", "occurred_at": changed, "is_closed": True, "is_won": True}
    ]
    unnamed, named = (
        builds.read(
            builds.project.build(
                builds.folder / name / "leadlag.duckdb", tables, Settings(as_of), select=[MARTS], flags=GROUND_ONLY
            )
        )
        for name, as_of in (("unnamed", None), ("named", changed + timedelta(days=1)))
    )
    found = differences(unnamed, named)
    assert not found, found
