"""Random histories through SQL and through the plain Python oracle: equal, row for row.

A batch is one project on one set of histories: its own policies, business time zone and as_of. Each is built once.
LEADLAG_ORACLE_SEED gives other histories than the usual ones.
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from contract_build import SHIPPED_POLICIES, ContractBuild, Warehouse
from histories import chains, draw_many, histories, place, policies, row
from oracle import (
    FORWARD_STAGES,
    PERSON_MILESTONES,
    Answer,
    Journey,
    Keys,
    Oracle,
    Policies,
    RecordId,
    Row,
    Settings,
    name_of,
    read_policies,
)
from wrong_oracles import WRONG_ORACLES

SEED = int(os.environ.get("LEADLAG_ORACLE_SEED", "0"))
RELATIONS = (
    "int_identity__lead_record_person",
    "fct_stage_event",
    "status_discrepancy",
    "fct_journey",
    "fct_touchpoint",
    "fct_activity",
    "int_lifecycle__stage_interval",
    "fct_conversion",
    "dim_person_contact",
    "quarantine",
)
Rows = dict[str, Counter[tuple[Any, ...]]]


@dataclass(frozen=True)
class Plan:
    """What a batch is made of. `anchor`: the time that windows end about; also as_of, unless the data give it."""

    number: int
    anchor: datetime
    business_timezone: str
    as_of: datetime | None
    own_policies: bool = True

    def __str__(self) -> str:
        policies_ = "own" if self.own_policies else "shipped"
        return f"{self.number}-{policies_}-{self.business_timezone.split('/')[1]}-as_of_{self.as_of}".replace(" ", "T")


def utc(text: str) -> datetime:
    """A time as the contract has it: UTC without saying so."""
    return datetime.fromisoformat(text)


BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
# Midnights in the business time zone (in UTC), some of the day on which its clocks change, and one plain time.
BERLIN_MIDNIGHT, BERLIN_CHANGE = utc("2024-09-30 22:00"), utc("2024-10-27 01:00")
NEW_YORK_MIDNIGHT, NEW_YORK_CHANGE = utc("2024-11-03 04:00"), utc("2024-11-03 06:00")
NOON, SECOND = utc("2024-10-15 12:00:00.5"), timedelta(seconds=1)
PLANS = [
    Plan(1, BERLIN_MIDNIGHT, BERLIN, None, own_policies=False),
    Plan(2, NEW_YORK_MIDNIGHT, NEW_YORK, NEW_YORK_MIDNIGHT, own_policies=False),
    Plan(3, BERLIN_CHANGE, BERLIN, BERLIN_CHANGE),
    Plan(4, BERLIN_MIDNIGHT, BERLIN, BERLIN_MIDNIGHT - SECOND),
    Plan(5, NEW_YORK_MIDNIGHT, NEW_YORK, None),
    Plan(6, NEW_YORK_MIDNIGHT, NEW_YORK, NEW_YORK_MIDNIGHT - SECOND),
    Plan(7, NEW_YORK_CHANGE, NEW_YORK, NEW_YORK_CHANGE),
    Plan(8, NOON, BERLIN, NOON),
    Plan(9, NOON, NEW_YORK, utc("2024-06-01 00:00")),
    Plan(10, BERLIN_MIDNIGHT, BERLIN, utc("2026-01-01 00:00")),
]
IN_TIME = [pytest.param(plan, marks=[pytest.mark.long] * (plan.number in (2, 5, 6, 8, 10))) for plan in PLANS]
HISTORIES, CHAINS = 200, 5


class Batch:
    """The rows of a plan, what the oracle makes of them and what the build made of them."""

    def __init__(self, plan: Plan, project: ContractBuild, duckdb_path: Path) -> None:
        self.plan, self.project = plan, project
        shipped = read_policies(SHIPPED_POLICIES)
        number = 1000 * SEED + plan.number
        self.settings = Settings(as_of=plan.as_of, business_timezone=plan.business_timezone)
        self.policies: Policies = draw_many(policies(shipped), 5, number)[-1] if plan.own_policies else shipped
        drawn = [
            *draw_many(histories(self.policies, self.settings, plan.anchor), HISTORIES, number),
            *draw_many(chains(self.policies, self.settings, plan.anchor), CHAINS, number),
        ]
        self.tables = place(drawn)
        if plan.as_of is None:
            self.stop_clock_at(plan.anchor)
        self.warehouse = self.build(duckdb_path, select=RELATIONS)

    def build(self, duckdb_path: Path, **options: Any) -> Warehouse:
        """Build the batch's rows with its policies and settings."""
        own = self.policies if self.plan.own_policies else None
        return self.project.build(duckdb_path, self.tables, self.settings, own, **options)

    def stop_clock_at(self, anchor: datetime) -> None:
        """Let the newest accepted row of the clock's entities be recorded at this time, whatever the others say."""
        for entity in ("lead_record", "status_event", "opportunity", "opportunity_stage_event"):
            self.tables[entity] = [
                row for row in self.tables[entity] if (row["recorded_at"] or row["occurred_at"]) <= anchor
            ]
        record = {"source_system": "salesforce", "source_id": "last", "record_type": "lead", "source_table": "lead"}
        self.tables["lead_record"].append(row("lead_record", **record, occurred_at=anchor, is_deleted=False))
        later = anchor + timedelta(days=1)
        unmapped = {"source_system": "salesforce", "source_table": "lead_history", "source_id": "later"}
        self.tables["status_event"].append(
            row("status_event", **unmapped, record_type="lead", record_source_id="last", occurred_at=later)
        )

    @cached_property
    def record_of_key(self) -> dict[int, RecordId]:
        """The record that a lead_record_key or person_key names."""
        return {
            found["lead_record_key"]: (found["source_system"], found["record_type"], found["source_id"])
            for found in self.warehouse.read("int_input__lead_record_checked")
        }

    @cached_property
    def keys(self) -> Keys:
        """The surrogate keys that the build gave: all that the oracle learns from it."""
        return Keys(
            record={record: key for key, record in self.record_of_key.items()},
            event={
                (found["source_system"], found["source_table"], found["source_id"]): found["stage_event_key"]
                for found in self.warehouse.read("fct_stage_event")
            },
        )

    @cached_property
    def built(self) -> Rows:
        """What the marts say, in the words of the sources: records instead of keys, person and number for a journey."""
        record = self.record_of_key
        read = self.warehouse.read
        journeys = read("fct_journey")
        journey = {found["journey_key"]: (record[found["person_key"]], found["journey_number"]) for found in journeys}
        return {
            "person": Counter(
                (record[found["lead_record_key"]], record[found["person_key"]])
                for found in read("int_identity__lead_record_person")
            ),
            "stage_event": Counter(
                (
                    found["source_system"],
                    found["source_table"],
                    found["source_id"],
                    found["stage"],
                    found["occurred_at"],
                    record[found["person_key"]],
                    found["resolution"],
                    journey.get(found["journey_key"]),
                )
                for found in read("fct_stage_event")
            ),
            "event_number": Counter(
                (*name_of(found), found["event_number"], found["is_milestone"])
                for found in read("fct_stage_event")
                if found["resolution"] == "effective"
            ),
            "status_discrepancy": Counter(
                (
                    found["loser_source_system"],
                    found["loser_source_table"],
                    found["loser_source_id"],
                    found["stage"],
                    found["discrepancy_type"],
                    found["winner_source_system"],
                    found["winner_at"],
                    found["difference_seconds"],
                    found["tolerance_hours"],
                )
                for found in read("status_discrepancy")
            ),
            "journey": Counter(
                (
                    *journey[found["journey_key"]],
                    found["entered_at"],
                    found["entered_date"],
                    found["entry_source_system"],
                    found["entry_stage"],
                    found["region"],
                    found["product_line"],
                    found["outcome"],
                    found["ended_at"],
                    found["furthest_stage"],
                    found["stage_event_count"],
                    found["touchpoint_count"],
                    found["activity_count"],
                )
                for found in journeys
            ),
            "milestone": Counter(
                (*journey[found["journey_key"]], stage, found[f"{stage}_at"])
                for found in journeys
                for stage in (*FORWARD_STAGES, *PERSON_MILESTONES)
            ),
            "stage_interval": Counter(
                (*journey[found["journey_key"]], found["stage"], found["entered_at"], found["left_at"])
                for found in read("int_lifecycle__stage_interval")
            ),
            "conversion": Counter(
                (
                    *journey[found["journey_key"]],
                    found["conversion_definition"],
                    found["definition_version"],
                    (found["scope_region"], found["scope_product_line"]),
                    found["entered_at"],
                    found["converted_at"],
                    found["seconds_to_convert"],
                    found["days_to_convert"],
                    found["is_imputed"],
                    found["is_converted_before_entry"],
                    found["is_out_of_order"],
                    found["is_mature"],
                    found["in_denominator"],
                    found["in_numerator"],
                    found["why_not"],
                )
                for found in read("fct_conversion")
            ),
            "touch": Counter(
                (*name_of(found), record.get(found["person_key"]), self.number_of(journey, found))
                for found in read("fct_touchpoint")
            ),
            "activity": Counter(
                (*name_of(found), record.get(found["person_key"]), self.number_of(journey, found))
                for found in read("fct_activity")
            ),
            "contact": Counter(
                (record[found["lead_record_key"]], record[found["person_key"]]) for found in read("dim_person_contact")
            ),
            "quarantine": Counter(
                (found["entity"], found["source_system"], found["source_id"]) for found in read("quarantine")
            ),
        }

    def expected(self, oracle: type[Oracle] = Oracle) -> Rows:
        """The same relations out of the oracle's answer."""
        judge = oracle(self.tables, self.policies, self.settings, self.keys)
        answer = judge.answer()
        journey_of = self.journey_of_event(answer)
        touches = Counter(answer.touch_journey.values())
        activities = Counter(answer.activity_journey.values())
        return {
            "person": Counter(answer.person_of.items()),
            "stage_event": Counter(
                (
                    *event.name,
                    event.stage,
                    event.occurred_at,
                    event.person,
                    event.resolution,
                    journey_of.get(event.name),
                )
                for event in answer.events
            ),
            "event_number": self.event_numbers(judge, answer),
            "status_discrepancy": Counter(
                (
                    *found.loser.name,
                    found.loser.stage,
                    found.discrepancy_type,
                    found.authority,
                    found.authority_occurred_at,
                    found.difference_seconds,
                    float(judge.authorities[found.loser.stage, found.authority]["tolerance_hours"]),
                )
                for found in answer.discrepancies
            ),
            "journey": Counter(
                (
                    found.person,
                    found.number,
                    found.entered_at,
                    judge.business_date(found.entered_at),
                    found.events[0].source_system,
                    found.events[0].stage,
                    judge.attributes[found.events[0].record]["region"],
                    judge.attributes[found.events[0].record]["product_line"],
                    found.outcome,
                    found.ended_at,
                    found.furthest_stage,
                    len(found.events),
                    touches[found.person, found.number],
                    activities[found.person, found.number],
                )
                for found in answer.journeys
            ),
            "milestone": Counter(
                (found.person, found.number, milestone, judge.moment_of(found, milestone))
                for found in answer.journeys
                for milestone in (*FORWARD_STAGES, *PERSON_MILESTONES)
            ),
            "stage_interval": Counter(
                (found.person, found.number, found.stage, found.entered_at, found.left_at) for found in answer.intervals
            ),
            "conversion": Counter(
                (
                    found.person,
                    found.number,
                    found.conversion_definition,
                    found.version,
                    found.scope,
                    found.entered_at,
                    found.converted_at,
                    found.seconds_to_convert,
                    found.days_to_convert,
                    found.is_imputed,
                    found.is_converted_before_entry,
                    found.is_out_of_order,
                    found.is_mature,
                    found.in_denominator,
                    found.in_numerator,
                    found.why_not,
                )
                for found in answer.conversions
            ),
            "touch": Counter((*name, *owner) for name, owner in answer.touch_journey.items()),
            "activity": Counter((*name, *owner) for name, owner in answer.activity_journey.items()),
            "contact": Counter(answer.person_of.items()),
            "quarantine": Counter(found for found in answer.rejected),
        }

    @staticmethod
    def event_numbers(judge: Oracle, answer: Answer) -> Counter[tuple[Any, ...]]:
        """The place of each effective event in its person's history, and whether it set a milestone."""
        rows: Counter[tuple[Any, ...]] = Counter()
        place_of: Counter[RecordId] = Counter()
        for one in answer.journeys:
            for position, event in enumerate(one.events):
                place_of[event.person] += 1
                first = event.stage not in [earlier.stage for earlier in one.events[:position]]
                reached = event.stage in FORWARD_STAGES and judge.milestone_at(one, event.stage) is not None
                rows[(*event.name, place_of[event.person], first and reached)] += 1
        return rows

    @staticmethod
    def number_of(journeys: Mapping[int, tuple[RecordId, int]], found: Row) -> int | None:
        """The number of the journey that a row names."""
        return None if found["journey_key"] is None else journeys[found["journey_key"]][1]

    @staticmethod
    def journey_of_event(answer: Answer) -> dict[tuple[str, str, str], tuple[RecordId, int]]:
        """The journey that an effective event is part of; for evidence the one that was running."""
        found = {event.name: (one.person, one.number) for one in answer.journeys for event in one.events}
        by_person: dict[RecordId, list[Journey]] = {}
        for one in answer.journeys:
            by_person.setdefault(one.person, []).append(one)
        for event in answer.events:
            for one in by_person.get(event.person, []):
                if event.resolution != "effective" and one.owns(event.occurred_at):
                    found[event.name] = (one.person, one.number)
        return found

    @cached_property
    def agreeing(self) -> list[str]:
        """The relations in which SQL and the right oracle agree."""
        return [relation for relation, rows in self.expected().items() if self.built[relation] == rows]

    def report(self, relation: str, expected: Counter[tuple[Any, ...]]) -> str:
        """Rows that differ, at most five of each side; empty when none does."""
        missing = sorted((expected - self.built[relation]).elements(), key=str)
        extra = sorted((self.built[relation] - expected).elements(), key=str)
        if not missing and not extra:
            return ""
        lines = [f"{relation}: {len(missing)} rows only in the oracle, {len(extra)} only in SQL"]
        lines += [f"  oracle: {found}" for found in missing[:5]] + [f"  SQL:    {found}" for found in extra[:5]]
        return "\n".join(lines)

    def story(self, prefix: str) -> Iterable[str]:
        """The rows of one history, empty cells left out."""
        for entity, rows in self.tables.items():
            for found in rows:
                if any(str(cell).startswith(prefix) for cell in found.values()):
                    cells = ", ".join(f"{name}={cell}" for name, cell in found.items() if cell is not None)
                    yield f"  {entity}: {cells}"


@pytest.fixture(scope="session")
def batch_of(run_dbt: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[[Plan], Batch]:
    """Builds a batch the first time it is asked for."""
    folder = tmp_path_factory.mktemp("oracle")
    project = ContractBuild(run_dbt, folder)
    batches: dict[Plan, Batch] = {}

    def batch(plan: Plan) -> Batch:
        if plan not in batches:
            batches[plan] = Batch(plan, project, folder / str(plan.number) / "leadlag.duckdb")
        return batches[plan]

    return batch


@pytest.mark.parametrize("plan", IN_TIME, ids=str)
def test_sql_and_oracle_agree(plan: Plan, batch_of: Callable[[Plan], Batch]) -> None:
    batch = batch_of(plan)
    reports = [batch.report(relation, rows) for relation, rows in batch.expected().items()]
    text = "\n\n".join(report for report in reports if report)
    first = re.search(r"'(h\d+-)", text)
    if first:
        text += f"\n\nthe first of these histories, {first[1]}\n" + "\n".join(batch.story(first[1]))
    if text:
        pytest.fail(text, pytrace=False)


def test_data_tests_hold_on_random_histories(batch_of: Callable[[Plan], Batch], tmp_path: Path) -> None:
    batch_of(PLANS[2]).build(tmp_path / "leadlag.duckdb", with_tests=True)


@pytest.mark.parametrize("wrong", WRONG_ORACLES, ids=lambda oracle: oracle.__name__)
def test_histories_tell_a_wrong_rule(wrong: type[Oracle], batch_of: Callable[[Plan], Batch]) -> None:
    def differs(plan: Plan) -> bool:
        batch = batch_of(plan)
        expected = batch.expected(wrong)
        return any(batch.built[relation] != expected[relation] for relation in batch.agreeing)

    assert any(differs(plan) for plan in PLANS), "no history of any batch reaches this rule"
