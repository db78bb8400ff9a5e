"""A consumer with KPI rules of its own and journeys that are known one by one, for the tests of definitions and sandbox."""

import csv
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from contract_build import SHIPPED_POLICIES, ContractBuild
from oracle import Settings

AS_OF = datetime(2025, 6, 30, 12)
FIRST = datetime(2024, 1, 1)
SETTINGS = Settings(as_of=AS_OF, business_timezone="UTC")
DAY = timedelta(days=1)
OWN = ("kpi", "kpi_component", "kpi_variant")
Cells = dict[str, str]


@dataclass(frozen=True)
class Lead:
    """When a lead became MQL and SQL, if it did by AS_OF."""

    source_id: str
    region: str
    mql_at: datetime
    sql_at: datetime | None

    def converted(self, days: float) -> bool:
        """Whether it became SQL within so many days of its MQL."""
        return self.sql_at is not None and self.sql_at - self.mql_at <= days * DAY

    def mature(self, days: float) -> bool:
        """Whether so many days have passed since its MQL."""
        return self.mql_at + days * DAY <= AS_OF


def leads(count: int = 700, seed: int = 5) -> list[Lead]:
    """Leads over a year and a half, some of which become SQL within 80 days."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        mql_at = FIRST + timedelta(seconds=draw.randrange(530 * 86400))
        sql_at = mql_at + timedelta(seconds=draw.randrange(1, 80 * 86400)) if draw.random() < 0.6 else None
        known = sql_at if sql_at is not None and sql_at < AS_OF else None
        found.append(Lead(f"L{number}", draw.choice(["EMEA", "APAC"]), mql_at, known))
    return found


def tables(found: Sequence[Lead]) -> dict[str, list[dict[str, Any]]]:
    """The leads as rows of the input contract."""
    records, statuses = [], []
    for lead in found:
        common = {"source_system": "salesforce", "record_type": "lead"}
        created = lead.mql_at - DAY
        records.append(
            {
                **common,
                "source_table": "lead",
                "source_id": lead.source_id,
                "email": f"{lead.source_id}@acme.io",
                "region": lead.region,
                "occurred_at": created,
                "occurred_at_raw": created.isoformat(),
                "recorded_at": created,
            }
        )
        steps = [("Open", created), ("Marketing Qualified", lead.mql_at), ("Qualified", lead.sql_at)]
        statuses += [
            {
                **common,
                "source_table": "lead_history",
                "source_id": f"{lead.source_id} {label}",
                "record_source_id": lead.source_id,
                "status_field": "status",
                "status_raw": label,
                "occurred_at": at,
                "occurred_at_raw": at.isoformat(),
                "recorded_at": at,
            }
            for label, at in steps
            if at is not None
        ]
    return {"lead_record": records, "status_event": statuses}


def read_seed(path: Path) -> list[Cells]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_seed(path: Path, rows: Sequence[Cells]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def shipped(name: str) -> list[Cells]:
    return read_seed(SHIPPED_POLICIES / f"{name}.csv")


def changed(rows: Sequence[Cells], key: Mapping[str, str], **cells: str) -> list[Cells]:
    """The rows, that of this key with other cells."""
    found = [{**row, **cells} if key.items() <= row.items() else row for row in rows]
    assert found != list(rows), f"{key} changes nothing"
    return found


class Governed(ContractBuild):
    """The contract project with seeds kpi, kpi_component and kpi_variant of its own, as shipped until a test writes others."""

    def __init__(self, run_dbt: Callable[..., Any], folder: Path) -> None:
        super().__init__(run_dbt, folder)
        path = self.project_dir / "dbt_project.yml"
        project = yaml.safe_load(path.read_text(encoding="utf-8"))
        project["seeds"]["contract_project"]["+enabled"] = True
        project["seeds"]["leadlag"]["policy"] = {name: {"+enabled": False} for name in OWN}
        path.write_text(yaml.safe_dump(project), encoding="utf-8")
        for name in OWN:
            self.write(name, shipped(name))

    def path(self, name: str) -> Path:
        return self.project_dir / "seeds" / f"{name}.csv"

    def write(self, name: str, rows: Sequence[Cells]) -> None:
        write_seed(self.path(name), rows)


def month_of(moment: datetime) -> date:
    return moment.date().replace(day=1)
