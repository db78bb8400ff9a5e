"""Changes of the rules and settings between two builds, on a copy of the project with seeds of its own.

A change says in which tables it must show: for a rule there are no ids by which an effect could be recognised.
"""

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from conftest import ROOT
from daily_loads import UNMAPPED_STATUS, NothingToDoError, RawTables

Rows = list[dict[str, str]]


@dataclass
class Rules:
    """The project with its seeds, and the variables that it is built with.

    Attributes:
        folder: the copied project. Everything but the seeds is linked, so the copy is the project as it is.
        variables: dbt variables of the next build.
    """

    folder: Path
    variables: dict[str, Any] = field(
        default_factory=lambda: {
            "unmapped_status": "quarantine",
            "as_of": None,
            "business_timezone": "Europe/Berlin",
            "confidence_level": 0.95,
            # A shorter calendar than the project's: fewer rows to build and to compare.
            "calendar_start": "2022-01-01",
            "calendar_end": "2026-12-31",
        }
    )

    @classmethod
    def copy(cls, folder: Path) -> "Rules":
        folder.mkdir(parents=True)
        for entry in ROOT.iterdir():
            if entry.name == "seeds":
                shutil.copytree(entry, folder / "seeds")
            elif not entry.name.startswith(".") and entry.name not in ("target", "logs", "profiles.yml"):
                (folder / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
        return cls(folder)

    def read(self, seed: str) -> Rows:
        with (self.folder / "seeds" / "policy" / f"{seed}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def write(self, seed: str, rows: Rows) -> None:
        with (self.folder / "seeds" / "policy" / f"{seed}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def edit(self, seed: str, column: str, values: tuple[str, str], **where: str) -> None:
        """Set a column to the first value, or to the second where it is the first already."""
        rows = self.read(seed)
        chosen = [row for row in rows if all(row[name] == value for name, value in where.items())]
        assert chosen, f"{seed}.csv has no row {where}"
        for row in chosen:
            row[column] = values[row[column] == values[0]]
        self.write(seed, rows)

    def turn(self, variable: str, first: Any, second: Any) -> None:
        self.variables[variable] = second if self.variables[variable] == first else first


Change = Callable[[Rules, RawTables], set[str]]
CHANGES: dict[str, Change] = {}


def change(function: Change) -> Change:
    CHANGES[function.__name__] = function
    return function


@change
def status_mapped_to_another_stage(rules: Rules, _: RawTables) -> set[str]:
    """A status means another stage, for all of the past as well."""
    rules.edit("status_map", "stage", ("disqualified", "recycled"), status_raw="Nurturing")
    return {"fct_stage_event"}


@change
def unmapped_status_is_mapped(rules: Rules, _: RawTables) -> set[str]:
    """Rows in quarantine for their status are accepted once the rule is there."""
    rows = rules.read("status_map")
    if any(row["status_raw"] == UNMAPPED_STATUS for row in rows):
        raise NothingToDoError
    rules.write("status_map", [*rows, {**rows[0], "status_raw": UNMAPPED_STATUS, "stage": "recycled", "note": ""}])
    return {"quarantine"}


@change
def authority_changes_hands(rules: Rules, _: RawTables) -> set[str]:
    """The other system governs a stage."""
    rules.edit("stage_authority", "priority", ("3", "1"), stage="mql", source_system="hubspot")
    return {"fct_stage_event", "status_discrepancy"}


@change
def authority_is_less_tolerant(rules: Rules, _: RawTables) -> set[str]:
    """Two systems may differ by less before it is a dispute."""
    rules.edit("stage_authority", "tolerance_hours", ("0", "24"), stage="mql")
    return {"status_discrepancy"}


@change
def recycled_lead_returns_sooner(rules: Rules, _: RawTables) -> set[str]:
    """The gap after which a return is a new journey."""
    for stage in ("recycled", "disqualified", "lost"):
        rules.edit("recycle_rule", "min_gap_days", ("1", "90"), stage=stage)
    return {"fct_journey"}


@change
def opportunity_qualifies_by_amount(rules: Rules, _: RawTables) -> set[str]:
    """Smaller opportunities are no opportunities of the funnel."""
    rules.edit("qualified_opportunity_rule", "value", ("20000", "0"), field="amount")
    return {"fct_journey"}


@change
def conversion_window_changes(rules: Rules, _: RawTables) -> set[str]:
    """A definition is edited in place."""
    rules.edit("conversion_definition", "window_days", ("10", "30"), conversion_definition="mql_to_sal_30d")
    return {"conversion_rate"}


@change
def conversion_counts_first_journeys_only(rules: Rules, _: RawTables) -> set[str]:
    """A once-per-person policy looks at all journeys of a person."""
    rules.edit(
        "conversion_definition",
        "recycled_policy",
        ("first_journey", "every_journey"),
        conversion_definition="mql_to_won",
    )
    return {"fct_conversion"}


@change
def channel_rule_changes(rules: Rules, _: RawTables) -> set[str]:
    """Paid clicks belong to another channel."""
    rules.edit("channel_rule", "channel", ("display", "paid_search"), utm_medium="cpc")
    return {"fct_touchpoint"}


@change
def lead_source_is_renamed(rules: Rules, _: RawTables) -> set[str]:
    """The source as delivered stays, its name in reports changes."""
    for raw in ("organic search", "organic_search"):
        rules.edit("lead_source_map", "lead_source", ("website", "organic_search"), lead_source_raw=raw)
    return {"fct_journey"}


@change
def address_is_a_shared_mailbox(rules: Rules, raw: RawTables) -> set[str]:
    """An address that two records share no longer makes them one person; or the oldest such rule goes again."""
    rows = rules.read("shared_mailbox")
    added = [row for row in rows if row["match_type"] == "address"]
    if len(added) > 1:
        rules.write("shared_mailbox", [row for row in rows if row is not added[0]])
        return {"dim_person_contact"}
    listed = {row["pattern"] for row in rows}
    shared = raw.texts(
        "select distinct lower(lead.email) as email from salesforce.lead as lead "
        "inner join hubspot.contact as contact on lower(lead.email) = lower(contact.property_email) "
        "where not lead.is_deleted and not contact._fivetran_deleted and contact.property_salesforceleadid is null"
    )
    found = [email for (email,) in shared if email not in listed and email.split("@")[0] not in listed]
    if not found:
        raise NothingToDoError
    rules.write("shared_mailbox", [*rows, {"match_type": "address", "pattern": raw.rng.choice(found), "note": ""}])
    return {"dim_person_contact"}


@change
def short_calls_are_no_contact(rules: Rules, _: RawTables) -> set[str]:
    """A sales contact must have lasted so long."""
    rules.edit("sales_contact_rule", "min_duration_seconds", ("400", "0"), activity_type="call")
    return {"fct_activity", "fct_journey"}


@change
def currency_rate_changes(rules: Rules, _: RawTables) -> set[str]:
    """Amounts in the base currency change, amounts as delivered do not."""
    rules.edit("currency_rate", "rate_to_base", ("0.5", "0.92"), currency_code="USD")
    return {"fct_opportunity"}


@change
def quarantine_tolerates_the_future(rules: Rules, _: RawTables) -> set[str]:
    """Rows that were refused are accepted, and refused again."""
    rules.edit("quarantine_rule", "tolerance", ("200000", "24"), quarantine_rule="future_timestamp")
    return {"quarantine"}


@change
def field_is_read_from_another_column(rules: Rules, _: RawTables) -> set[str]:
    """field_map is part of the SQL of staging, not of its data."""
    rules.edit(
        "field_map",
        "source_column",
        ("industry", "product_line_c"),
        connector="salesforce",
        source_table="lead",
        staging_column="product_line",
    )
    return {"dim_person"}


@change
def health_rule_is_stricter(rules: Rules, _: RawTables) -> set[str]:
    """Only the verdicts on sources change."""
    rules.edit("health_rule", "minimum_rows", ("1", "20"), health_rule="without_lead_source")
    rules.edit("health_rule", "warn_above", ("0.5", "4"), health_rule="without_lead_source")
    return {"source_health"}


@change
def business_time_zone_changes(rules: Rules, _: RawTables) -> set[str]:
    """Days and months of everything are cut elsewhere."""
    rules.turn("business_timezone", "Pacific/Auckland", "Europe/Berlin")
    return {"conversion_rate"}


@change
def confidence_level_changes(rules: Rules, _: RawTables) -> set[str]:
    """All intervals become narrower."""
    rules.turn("confidence_level", 0.8, 0.95)
    return {"conversion_rate"}


# Where the clock stands decides what other changes can show, so a sequence of loads sets it by itself.
def as_of_an_earlier_time(rules: Rules, raw: RawTables) -> set[str]:
    """Build as of some weeks ago, to the hour."""
    moment = raw.now - timedelta(days=raw.rng.randint(3, 120), hours=raw.rng.randint(1, 20))
    rules.variables["as_of"] = datetime.isoformat(moment.replace(microsecond=0), sep=" ")
    return {"fct_journey"}


def as_of_the_newest_row(rules: Rules, _: RawTables) -> set[str]:
    """Back to the clock of the data."""
    rules.variables["as_of"] = None
    return {"fct_journey"}
