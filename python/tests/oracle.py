"""The rules of leadlag a second time, in plain Python.

The SQL models and this file were written independently from the same definitions. `test_oracle.py` runs random
histories through both and demands equal rows, so a mistake has to be made twice, in two languages, to go unseen.
Nothing here is fast or clever on purpose: lists, dictionaries, loops and datetime, each rule a method that says the
rule in words. A test can override one method and so make a deliberately wrong oracle (a mutant).

Rows are dictionaries with the columns of the input contract; times are naive datetimes in UTC. Policies are
dictionaries of text, as read from the CSV files of `seeds/policy`.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
PolicyRow = Mapping[str, str]
Policies = Mapping[str, Sequence[PolicyRow]]
RecordId = tuple[str, str, str]
"""A record's name: source_system, record_type, source_id."""

FORWARD_STAGES = ("inquiry", "mql", "sal", "sql", "opportunity", "won")
TERMINAL_STAGES = ("won", "lost", "disqualified", "recycled")
STAGE_ORDER = {
    stage: number for number, stage in enumerate((*FORWARD_STAGES, "lost", "disqualified", "recycled"), start=1)
}
END_OF_TIME = datetime.fromisoformat("9999-12-31")
PERSON_LINKS = ("conversion", "merge", "explicit")
PERSON_MILESTONES = ("first_touch", "first_sales_contact")


@dataclass(frozen=True)
class Settings:
    """What a project sets as variables. `as_of` None: the newest row that the systems of record have delivered."""

    as_of: datetime | None = None
    business_timezone: str = "Europe/Berlin"


@dataclass(frozen=True)
class StageEvent:
    """One stage reached by one person, as one system tells it."""

    person: RecordId
    stage: str
    occurred_at: datetime
    event_sequence: int
    source_system: str
    source_table: str
    source_id: str
    record: RecordId
    resolution: str = ""

    @property
    def name(self) -> tuple[str, str, str]:
        """The row that the event was read from."""
        return (self.source_system, self.source_table, self.source_id)


@dataclass(frozen=True)
class Discrepancy:
    """A system told a stage that its authority does not tell, or tells at another time."""

    loser: StageEvent
    authority: str
    discrepancy_type: str
    authority_occurred_at: datetime | None

    @property
    def difference_seconds(self) -> float | None:
        """By how much the loser is later than its authority."""
        if self.authority_occurred_at is None:
            return None
        return (self.loser.occurred_at - self.authority_occurred_at).total_seconds()


@dataclass(frozen=True)
class Journey:
    """One pass of a person through the funnel; `events` are its effective events in order."""

    person: RecordId
    number: int
    events: tuple[StageEvent, ...]
    previous_ended_at: datetime | None = None

    @property
    def entered_at(self) -> datetime:
        """The time of the first event."""
        return self.events[0].occurred_at

    @property
    def outcome(self) -> str:
        """The stage of the last event when that ends a journey, otherwise open."""
        last = self.events[-1].stage
        return last if last in TERMINAL_STAGES else "open"

    @property
    def ended_at(self) -> datetime | None:
        """The time of the last event when that ends a journey."""
        return None if self.outcome == "open" else self.events[-1].occurred_at

    @property
    def furthest_stage(self) -> str | None:
        """The highest forward stage seen; None when only outcomes were."""
        seen = [event.stage for event in self.events if event.stage in FORWARD_STAGES]
        return max(seen, key=lambda stage: STAGE_ORDER[stage], default=None)

    def owns(self, moment: datetime) -> bool:
        """Touches and activities belong to a journey after the previous one ended and until it ends itself."""
        if self.previous_ended_at is not None and moment <= self.previous_ended_at:
            return False
        return self.ended_at is None or moment <= self.ended_at


@dataclass(frozen=True)
class Interval:
    """Time spent in a stage: entered_at <= t < left_at; left_at is None while the stage lasts."""

    person: RecordId
    number: int
    stage: str
    entered_at: datetime
    left_at: datetime | None


@dataclass(frozen=True)
class Entry:
    """A journey that entered a row of conversion_definition."""

    rule: PolicyRow
    journey: Journey
    entered_at: datetime
    is_out_of_order: bool = False
    is_imputed: bool = False


@dataclass(frozen=True)
class Conversion:
    """One journey under one version of a conversion definition."""

    person: RecordId
    number: int
    conversion_definition: str
    version: int
    scope: tuple[str, str]
    entered_at: datetime
    converted_at: datetime | None
    seconds_to_convert: float | None
    days_to_convert: int | None
    is_imputed: bool
    is_out_of_order: bool
    is_converted_before_entry: bool
    is_mature: bool
    in_denominator: bool
    in_numerator: bool
    why_not: str | None


@dataclass(frozen=True)
class Answer:
    """Everything the oracle concludes from one set of tables."""

    as_of: datetime
    person_of: dict[RecordId, RecordId]
    events: list[StageEvent]
    discrepancies: list[Discrepancy]
    journeys: list[Journey]
    intervals: list[Interval]
    conversions: list[Conversion]
    touch_journey: dict[tuple[str, str, str], tuple[RecordId | None, int | None]]
    activity_journey: dict[tuple[str, str, str], tuple[RecordId | None, int | None]]
    rejected: list[tuple[str, str, str]] = field(default_factory=list)


def read_policies(folder: Path) -> dict[str, list[dict[str, str]]]:
    """Read every policy table of a folder; keys are file names without the extension."""
    policies = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            policies[path.stem] = list(csv.DictReader(file))
    return policies


def record_named_by(row: Row) -> RecordId:
    """The record that a row of lead_record is."""
    return (row["source_system"], row["record_type"], row["source_id"])


def record_of(row: Row) -> RecordId | None:
    """The record that an event or an opportunity belongs to, when the source names one."""
    if row["record_type"] is None or row["record_source_id"] is None:
        return None
    return (row["source_system"], row["record_type"], row["record_source_id"])


def recorded_at(row: Row) -> datetime | None:
    """When the source knew the row; a source that does not say knew it when it happened."""
    known: datetime | None = row["recorded_at"]
    happened: datetime | None = row["occurred_at"]
    return known if known is not None else happened


def sequence_of(row: Row) -> int:
    """The source's own order among rows of the same instant; 0 when it gives none."""
    return int(row["event_sequence"] or 0)


def name_of(row: Row) -> tuple[str, str, str]:
    """The row's name in its source."""
    return (row["source_system"], row["source_table"], row["source_id"])


@dataclass(frozen=True)
class Keys:
    """Surrogate keys of records and of stage events: opaque here, they only break ties between equals."""

    record: Mapping[RecordId, Any] = field(default_factory=dict)
    event: Mapping[tuple[str, str, str], Any] = field(default_factory=dict)


class Oracle:
    """Applies the rules to one set of tables."""

    def __init__(self, tables: Tables, policies: Policies, settings: Settings, keys: Keys) -> None:
        self.tables = tables
        self.policies = policies
        self.settings = settings
        self.keys = keys
        self.zone = ZoneInfo(settings.business_timezone)
        self.stage_of_status = {
            (rule["source_system"], rule["status_field"], rule["status_raw"].strip().lower()): rule["stage"]
            for rule in policies["status_map"]
        }
        self.authorities: dict[tuple[str, str], PolicyRow] = {
            (rule["stage"], rule["source_system"]): rule for rule in policies["stage_authority"]
        }

    def answer(self) -> Answer:
        """Apply all rules in their order."""
        as_of = self.data_clock()
        rows, rejected = self.accepted_rows(as_of)
        self.attributes = {record_named_by(row): row for row in rows["lead_record"]}
        self.created_at = {record: row["occurred_at"] for record, row in self.attributes.items()}
        self.rows = rows
        person_of = self.persons(rows)
        self.person_of = person_of
        self.person_of_email = {email: person_of[records[0]] for email, records in self.records_by_email(rows).items()}
        events, discrepancies = self.resolve(self.stage_events(rows), person_of)
        journeys = self.journeys(events)
        touches = [(row, self.person_of_touch(row)) for row in rows["touchpoint"]]
        activities = [(row, self.person_of_record(row)) for row in rows["activity"]]
        self.first_touch = self.first_by_journey(touches, journeys)
        contacts = [(row, person) for row, person in activities if self.is_sales_contact(row)]
        self.first_contact = self.first_by_journey(contacts, journeys)
        return Answer(
            as_of=as_of,
            person_of=person_of,
            events=events,
            discrepancies=discrepancies,
            journeys=journeys,
            intervals=[interval for journey in journeys for interval in self.intervals(journey)],
            conversions=self.conversions(journeys, as_of),
            touch_journey=self.journey_by_row(touches, journeys),
            activity_journey=self.journey_by_row(activities, journeys),
            rejected=rejected,
        )

    # As of any time ---------------------------------------------------------------------------------------------------

    def data_clock(self) -> datetime:
        """The variable, or the newest recorded_at among accepted lead records, statuses, opportunities and their stages."""
        if self.settings.as_of is not None:
            return self.settings.as_of
        rows, _ = self.accepted_rows(None)
        known = [
            recorded_at(row)
            for entity in ("lead_record", "status_event", "opportunity", "opportunity_stage_event")
            for row in rows[entity]
        ]
        return max(moment for moment in known if moment is not None)

    def exists(self, row: Row, as_of: datetime | None) -> bool:
        """A row recorded after as_of does not exist: it is neither accepted nor rejected."""
        known = recorded_at(row)
        return as_of is None or known is None or known <= as_of

    def accepted_rows(self, as_of: datetime | None) -> tuple[dict[str, list[Row]], list[tuple[str, str, str]]]:
        """Rows that can be used, by entity, and the names of those that cannot.

        Unusable: no time, a time more than the tolerance after the load, a repeated key (the version known first is
        kept), deleted in the source without being merged into another, an unmapped status, a status of a record or a
        stage of an opportunity that is not itself accepted. An opportunity of an unknown record stays: it is nobody's.
        """
        rows: dict[str, list[Row]] = {}
        rejected: list[tuple[str, str, str]] = []
        for entity, delivered in self.tables.items():
            rows[entity] = []
            seen: set[tuple[Any, ...]] = set()
            there = [row for row in delivered if self.exists(row, as_of)]
            there.sort(key=self.version_order)
            for row in there:
                key = self.natural_key(entity, row)
                if key in seen or not self.is_usable(entity, row):
                    rejected.append((entity, row["source_system"], row["source_id"]))
                else:
                    rows[entity].append(row)
                seen.add(key)
        records = {record_named_by(row) for row in rows["lead_record"]}
        self.keep(rows, rejected, "status_event", lambda row: record_of(row) in records)
        opportunities = {(row["source_system"], row["source_id"]) for row in rows["opportunity"]}
        self.keep(
            rows,
            rejected,
            "opportunity_stage_event",
            lambda row: (row["source_system"], row["opportunity_source_id"]) in opportunities,
        )
        return rows, rejected

    def version_order(self, row: Row) -> datetime:
        """Of several versions of a row the one known first is kept, so that later deliveries never change the past."""
        return recorded_at(row) or END_OF_TIME

    @staticmethod
    def natural_key(entity: str, row: Row) -> tuple[Any, ...]:
        """What a source calls the row: a record by its type, an event by its table, the rest by the id alone."""
        if entity == "lead_record":
            return record_named_by(row)
        if entity in ("opportunity", "campaign", "rep", "account"):
            return (row["source_system"], row["source_id"])
        return name_of(row)

    @staticmethod
    def keep(rows: dict[str, list[Row]], rejected: list[tuple[str, str, str]], entity: str, test: Any) -> None:
        """Keep the rows of an entity that pass the test and reject the others."""
        rejected += [(entity, row["source_system"], row["source_id"]) for row in rows[entity] if not test(row)]
        rows[entity] = [row for row in rows[entity] if test(row)]

    def is_usable(self, entity: str, row: Row) -> bool:
        """What can be judged from the row alone."""
        if row["occurred_at"] is None:
            return False
        if row["loaded_at"] is not None and row["occurred_at"] > row["loaded_at"] + self.clock_tolerance():
            return False
        if entity in ("lead_record", "opportunity") and row["is_deleted"] and not row.get("is_merged"):
            return False
        return entity != "status_event" or self.mapped_stage(row) is not None

    def clock_tolerance(self) -> timedelta:
        """How far a source's clock may be ahead of the loader's."""
        rules = {rule["quarantine_rule"]: rule for rule in self.policies["quarantine_rule"]}
        return timedelta(hours=float(rules["future_timestamp"]["tolerance"]))

    # Identity ---------------------------------------------------------------------------------------------------------

    def email_key(self, raw: str | None) -> str | None:
        """The address that may join people, or None.

        Normalised: trimmed, lower case, without a leading mailto: and surrounding angle brackets. Valid: exactly one
        at sign, something before it, a dot inside the domain, no blank, comma or semicolon. A shared mailbox by policy
        (the part before the at sign, the domain or the whole address) has no key.
        """
        if raw is None:
            return None
        email = raw.strip().lower()
        email = email.removeprefix("mailto:")
        if email.startswith("<") and email.endswith(">"):
            email = email[1:-1]
        if email.count("@") != 1 or any(mark in email for mark in " ,;"):
            return None
        local_part, domain = email.split("@")
        if not local_part or "." not in domain[1:-1]:
            return None
        return None if self.is_shared_mailbox(email) else email

    def is_shared_mailbox(self, email: str) -> bool:
        """Does the policy list the address, its domain or its local part?"""
        local_part, domain = email.split("@")
        what = {"local_part": local_part, "domain": domain, "address": email}
        return any(what[rule["match_type"]] == rule["pattern"].lower() for rule in self.policies["shared_mailbox"])

    def persons(self, rows: Tables) -> dict[RecordId, RecordId]:
        """For each record the record that names its person.

        A person is a connected component of records: equal e-mail keys and links (conversion, merge, explicit) with
        both ends known connect. It is named by its earliest record; lead_record_key breaks ties. Visitor links never
        join records: devices are shared.
        """
        neighbours: dict[RecordId, set[RecordId]] = {record: set() for record in self.created_at}
        for records in self.records_by_email(rows).values():
            for record in records[1:]:
                neighbours[records[0]].add(record)
                neighbours[record].add(records[0])
        for row in rows["identity_link"]:
            start = (row["from_source_system"], row["from_record_type"], row["from_source_id"])
            end = (row["to_source_system"], row["to_record_type"], row["to_source_id"])
            if self.joins_people(row) and start in neighbours and end in neighbours:
                neighbours[start].add(end)
                neighbours[end].add(start)
        person_of: dict[RecordId, RecordId] = {}
        for record in neighbours:
            if record in person_of:
                continue
            component = {record}
            waiting = [record]
            while waiting:
                for neighbour in neighbours[waiting.pop()] - component:
                    component.add(neighbour)
                    waiting.append(neighbour)
            person = self.naming_record(component)
            for member in component:
                person_of[member] = person
        return person_of

    def records_by_email(self, rows: Tables) -> dict[str, list[RecordId]]:
        """The records of each address that may join people."""
        found: dict[str, list[RecordId]] = defaultdict(list)
        for row in rows["lead_record"]:
            email = self.email_key(row["email"])
            if email is not None:
                found[email].append(record_named_by(row))
        return found

    def joins_people(self, link: Row) -> bool:
        """Only links between records of one human do."""
        return link["link_type"] in PERSON_LINKS

    def naming_record(self, component: Iterable[RecordId]) -> RecordId:
        """The earliest created record of a person."""
        return min(component, key=lambda record: (self.created_at[record], self.keys.record.get(record, 0)))

    # Stages -----------------------------------------------------------------------------------------------------------

    def mapped_stage(self, row: Row) -> str | None:
        """The stage (or 'ignored') that the policy gives a raw status, whatever its case and outer blanks."""
        status = (row["status_raw"] or "").strip().lower()
        return self.stage_of_status.get((row["source_system"], row["status_field"], status))

    def stage_events(self, rows: Tables) -> list[StageEvent]:
        """All stage events, from statuses and from opportunities, not yet resolved."""
        events = []
        for row in rows["status_event"]:
            stage = self.mapped_stage(row)
            record = record_of(row)
            if stage is not None and stage != "ignored" and record is not None:
                events.append(self.stage_event(row, stage, record))
        changes: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in rows["opportunity_stage_event"]:
            changes[(row["source_system"], row["opportunity_source_id"])].append(row)
        for opportunity in rows["opportunity"]:
            record = record_of(opportunity)
            if record not in self.person_of:
                continue
            history = changes[(opportunity["source_system"], opportunity["source_id"])]
            for row, state in self.opportunity_states(opportunity, history):
                events.append(self.stage_event(row, state, record))
        return events

    def stage_event(self, row: Row, stage: str, record: RecordId) -> StageEvent:
        """A stage event out of the row that tells it."""
        return StageEvent(
            person=self.person_of[record],
            record=record,
            stage=stage,
            occurred_at=row["occurred_at"],
            event_sequence=sequence_of(row),
            source_system=row["source_system"],
            source_table=row["source_table"],
            source_id=row["source_id"],
        )

    def opportunity_states(self, opportunity: Row, history: Iterable[Row]) -> list[tuple[Row, str]]:
        """The rows of an opportunity's history that change its state, with the new state.

        Won by the flag; lost when closed and not won; opportunity when open and qualified; open and not qualified is
        no state at all. Until it has qualified once, an opportunity has no state: a renewal is neither won nor lost. A row
        counts only where its state differs from that of the row before it.
        """
        told = []
        previous: str | None = None
        has_qualified = False
        for row in sorted(history, key=lambda row: (row["occurred_at"], sequence_of(row), row["source_id"])):
            state: str | None
            qualifies = self.is_qualified(opportunity, row)
            has_qualified = has_qualified or qualifies
            if not has_qualified:
                state = None
            elif row["is_won"]:
                state = "won"
            elif row["is_closed"]:
                state = "lost"
            else:
                state = "opportunity" if qualifies else None
            if state is not None and state != previous:
                told.append((row, state))
            previous = state
        return told

    def is_qualified(self, opportunity: Row, row: Row) -> bool:
        """Do all rows of the policy hold? Judged by what the stage change itself says; what only the opportunity
        carries (type, product line, region) by that. Text is compared without case."""
        for rule in self.policies["qualified_opportunity_rule"]:
            source = (
                row if rule["field"] in ("probability", "amount", "stage_raw", "forecast_category") else opportunity
            )
            value = source[rule["field"]]
            listed = [text.strip().lower() for text in rule["value"].split("|")]
            if value is None:
                holds = rule["passes_when_null"].lower() == "true"
            elif rule["operator"] == "in":
                holds = value.lower() in listed
            elif rule["operator"] == "not_in":
                holds = value.lower() not in listed
            elif rule["operator"] == "at_least":
                holds = Decimal(str(value)) >= Decimal(rule["value"])
            else:
                holds = Decimal(str(value)) <= Decimal(rule["value"])
            if not holds:
                return False
        return True

    # Authority --------------------------------------------------------------------------------------------------------

    def tolerance(self, stage: str, system: str) -> timedelta:
        """By how much a system's word on a stage may differ from another's."""
        return timedelta(hours=float(self.authorities[(stage, system)]["tolerance_hours"]))

    def governs(self, stage: str, system: str, moment: datetime, records: Iterable[RecordId]) -> bool:
        """A listed system governs a stage once it has a record of the person, give or take the tolerance."""
        if (stage, system) not in self.authorities:
            return False
        latest = moment + self.tolerance(stage, system)
        return any(record[0] == system and self.created_at[record] <= latest for record in records)

    def authority_of(self, event: StageEvent, records: Iterable[RecordId]) -> str:
        """The governing system with the lowest priority number; the event's own where no listed system governs."""
        governing = [
            (int(rule["priority"]), system)
            for (stage, system), rule in self.authorities.items()
            if stage == event.stage and self.governs(stage, system, event.occurred_at, records)
        ]
        return min(governing)[1] if governing else event.source_system

    def resolve(
        self, events: Sequence[StageEvent], person_of: Mapping[RecordId, RecordId]
    ) -> tuple[list[StageEvent], list[Discrepancy]]:
        """Judge each event: effective, corroborating or overruled; each overruled one is a discrepancy.

        Effective: told by the authority itself. Corroborating: the authority tells the same stage of the same person
        within the tolerance. Otherwise overruled, as `timing` when the authority tells the stage at another time (the
        nearest; of two equally near the earlier), as `missing_in_authority` when it never does.
        """
        records_of: dict[RecordId, list[RecordId]] = defaultdict(list)
        for record, person in person_of.items():
            records_of[person].append(record)
        told: dict[tuple[RecordId, str, str], list[datetime]] = defaultdict(list)
        for event in events:
            told[(event.person, event.stage, event.source_system)].append(event.occurred_at)
        resolved = []
        discrepancies = []
        for event in events:
            authority = self.authority_of(event, records_of[event.person])
            if authority == event.source_system:
                resolved.append(replace(event, resolution="effective"))
                continue
            moments = told[(event.person, event.stage, authority)]
            tolerance = self.tolerance(event.stage, authority)
            if any(self.is_within(tolerance, moment, event.occurred_at) for moment in moments):
                resolved.append(replace(event, resolution="corroborating"))
                continue
            loser = replace(event, resolution="overruled")
            resolved.append(loser)
            nearest = min(moments, key=lambda moment: (abs(moment - loser.occurred_at), moment), default=None)
            kind = "missing_in_authority" if nearest is None else "timing"
            discrepancies.append(Discrepancy(loser, authority, kind, nearest))
        return resolved, discrepancies

    @staticmethod
    def is_within(tolerance: timedelta, one: datetime, other: datetime) -> bool:
        """Exactly the tolerance is still within."""
        return abs(one - other) <= tolerance

    # Journeys ---------------------------------------------------------------------------------------------------------

    def order(self, event: StageEvent) -> tuple[Any, ...]:
        """A person's events in time; the source's sequence, the stage and the event's key break ties."""
        return (event.occurred_at, event.event_sequence, STAGE_ORDER[event.stage], self.keys.event.get(event.name, 0))

    def starts_next_journey(self, previous: StageEvent, event: StageEvent) -> bool:
        """A non-terminal event directly after a terminal one, at least that stage's gap later.

        Sooner it reopens the journey. A terminal stage without a rule never lets a next journey start.
        """
        if event.stage in TERMINAL_STAGES or previous.stage not in TERMINAL_STAGES:
            return False
        for rule in self.policies["recycle_rule"]:
            if rule["stage"] == previous.stage:
                return event.occurred_at - previous.occurred_at >= timedelta(days=int(rule["min_gap_days"]))
        return False

    def journeys(self, events: Iterable[StageEvent]) -> list[Journey]:
        """Walk through the effective events of each person and cut them into journeys, numbered from 1."""
        effective: dict[RecordId, list[StageEvent]] = defaultdict(list)
        for event in events:
            if event.resolution == "effective":
                effective[event.person].append(event)
        journeys = []
        for person, history in effective.items():
            walks: list[list[StageEvent]] = []
            for event in sorted(history, key=self.order):
                if not walks or self.starts_next_journey(walks[-1][-1], event):
                    walks.append([event])
                else:
                    walks[-1].append(event)
            previous_ended_at = None
            for number, walk in enumerate(walks, start=1):
                journeys.append(Journey(person, number, tuple(walk), previous_ended_at))
                previous_ended_at = journeys[-1].ended_at
        return journeys

    @staticmethod
    def first_at(journey: Journey, stage: str) -> datetime | None:
        """The time of a journey's first event of a stage."""
        return next((event.occurred_at for event in journey.events if event.stage == stage), None)

    def milestone_at(self, journey: Journey, stage: str) -> datetime | None:
        """The first time a journey reaches a forward stage, unless it had reached a higher forward stage before."""
        for event in journey.events:
            if event.stage == stage:
                return event.occurred_at
            if event.stage in FORWARD_STAGES and STAGE_ORDER[event.stage] > STAGE_ORDER[stage]:
                return None
        return None

    def intervals(self, journey: Journey) -> list[Interval]:
        """From each effective event to the next of the same journey; the last one lasts."""
        return [
            Interval(
                person=journey.person,
                number=journey.number,
                stage=event.stage,
                entered_at=event.occurred_at,
                left_at=journey.events[position].occurred_at if position < len(journey.events) else None,
            )
            for position, event in enumerate(journey.events, start=1)
        ]

    # Touches and sales contacts -------------------------------------------------------------------------------------

    def person_of_record(self, row: Row) -> RecordId | None:
        """The person of the record that a row names."""
        record = record_of(row)
        return None if record is None else self.person_of.get(record)

    def person_of_touch(self, row: Row) -> RecordId | None:
        """The person by the record, else by the address, else by the browser."""
        if record_of(row) is not None:
            return self.person_of_record(row)
        if row["email"] is not None:
            email = self.email_key(row["email"])
            return None if email is None else self.person_of_email.get(email)
        return self.person_of_visitor(row["visitor_id"], row["occurred_at"])

    def person_of_visitor(self, visitor: str | None, moment: datetime) -> RecordId | None:
        """The person of the browser's latest link at or before the touch. Before its first link: that link's person
        when the browser was only ever linked to one, otherwise nobody, since it may have been anyone's."""
        links = []
        for link in self.rows["identity_link"]:
            record = (link["to_source_system"], link["to_record_type"], link["to_source_id"])
            if link["link_type"] == "visitor" and link["from_source_id"] == visitor and record in self.person_of:
                links.append((link["occurred_at"], self.person_of[record]))
        before = [link for link in links if link[0] <= moment]
        if before:
            return max(before)[1]
        people = {person for _, person in links}
        return people.pop() if len(people) == 1 else None

    def is_sales_contact(self, row: Row) -> bool:
        """Does any row of the policy count the activity? A minimum of 0 also admits an unknown duration."""
        return any(
            rule["activity_type"] == row["activity_type"]
            and rule["direction"] in ("*", row["direction"])
            and (rule["completed_only"].lower() != "true" or row["is_completed"])
            and (row["duration_seconds"] or 0) >= int(rule["min_duration_seconds"])
            for rule in self.policies["sales_contact_rule"]
        )

    def journey_by_row(
        self, rows: Iterable[tuple[Row, RecordId | None]], journeys: Iterable[Journey]
    ) -> dict[tuple[str, str, str], tuple[RecordId | None, int | None]]:
        """Person and journey number of each touch or activity."""
        by_person = defaultdict(list)
        for journey in journeys:
            by_person[journey.person].append(journey)
        found = {}
        for row, person in rows:
            owners = [] if person is None else [one for one in by_person[person] if one.owns(row["occurred_at"])]
            found[name_of(row)] = (person, owners[0].number if owners else None)
        return found

    def first_by_journey(
        self, rows: Iterable[tuple[Row, RecordId | None]], journeys: Iterable[Journey]
    ) -> dict[tuple[RecordId, int], datetime]:
        """The earliest of some touches or activities of each journey; it may precede the journey's first event."""
        rows = list(rows)
        owners = self.journey_by_row(rows, journeys)
        first: dict[tuple[RecordId, int], datetime] = {}
        for row, _ in rows:
            person, number = owners[name_of(row)]
            if person is not None and number is not None:
                moment = row["occurred_at"]
                first[(person, number)] = min(first.get((person, number), moment), moment)
        return first

    # Conversions ------------------------------------------------------------------------------------------------------

    def business_date(self, moment: datetime) -> date:
        """The day of a UTC time in the business time zone."""
        return moment.replace(tzinfo=UTC).astimezone(self.zone).date()

    def moment_of(self, journey: Journey, milestone: str) -> datetime | None:
        """When a journey reached any milestone: a stage, its first touch or its first sales contact."""
        if milestone == "first_touch":
            return self.first_touch.get((journey.person, journey.number))
        if milestone == "first_sales_contact":
            return self.first_contact.get((journey.person, journey.number))
        return self.milestone_at(journey, milestone)

    def reached(self, journey: Journey, stage: str) -> datetime | None:
        """The earliest milestone among a stage and all later ones: by then the journey had got that far."""
        later = [one for one in FORWARD_STAGES if STAGE_ORDER[one] >= STAGE_ORDER[stage]]
        moments = [moment for one in later if (moment := self.milestone_at(journey, one)) is not None]
        return min(moments, default=None)

    def entry(self, journey: Journey, rule: PolicyRow) -> Entry | None:
        """When a journey entered a definition; None when it never did.

        The milestone; or the first event of the from-stage when it came only after a higher one (out of order); or, for
        a stage never seen and skipped_policy impute, the earliest later milestone (imputed). Touches and sales contacts
        are never imputed.
        """
        start = rule["from_milestone"]
        milestone = self.moment_of(journey, start)
        if milestone is not None:
            return Entry(rule, journey, milestone)
        if start not in FORWARD_STAGES:
            return None
        seen = self.first_at(journey, start)
        if seen is not None:
            return Entry(rule, journey, seen, is_out_of_order=True)
        imputed = self.reached(journey, start) if rule["skipped_policy"] == "impute" else None
        return None if imputed is None else Entry(rule, journey, imputed, is_imputed=True)

    def converted_at(self, journey: Journey, rule: PolicyRow) -> datetime | None:
        """When a journey reached the to-milestone; with skipped_policy impute a later stage proves an earlier one, so
        that those who converted in one step are those who entered the next."""
        goal = rule["to_milestone"]
        moment = self.moment_of(journey, goal)
        if moment is None and rule["skipped_policy"] == "impute" and goal in FORWARD_STAGES:
            return self.reached(journey, goal)
        return moment

    def is_valid_on(self, rule: PolicyRow, day: date) -> bool:
        """A version holds from its first day to the day before valid_to; an empty valid_to never ends."""
        starts = date.fromisoformat(rule["valid_from"])
        ends = date.fromisoformat(rule["valid_to"]) if rule["valid_to"] else date.max
        return starts <= day < ends

    def matches_scope(self, rule: PolicyRow, journey: Journey) -> bool:
        """A star matches every journey; a value only those that have it. Not recorded is no value.

        A journey has the region and product line of the record that opened it.
        """
        attributes = self.attributes[journey.events[0].record]
        return all(
            rule[f"scope_{name}"] == "*" or rule[f"scope_{name}"] == attributes[name]
            for name in ("region", "product_line")
        )

    @staticmethod
    def narrowness(rule: PolicyRow) -> int:
        """How many attributes the scope of a row names."""
        return sum(rule[f"scope_{name}"] != "*" for name in ("region", "product_line"))

    def is_in_window(self, rule: PolicyRow, entered_at: datetime, converted_at: datetime) -> bool:
        """Exact: at most so many times 24 hours. Calendar days: at most so many midnights of the business time zone."""
        window_days = int(rule["window_days"])
        if rule["time_basis"] == "calendar_days":
            return (self.business_date(converted_at) - self.business_date(entered_at)).days <= window_days
        return converted_at - entered_at <= timedelta(days=window_days)

    def is_mature(
        self, rule: PolicyRow, journey: Journey, entered_at: datetime, converted_at: datetime | None, as_of: datetime
    ) -> bool:
        """Is the answer final? With a window once it is over (its last day complete); otherwise once the journey
        converted or ended, or is as old as the definition asks."""
        if rule["window_days"]:
            window_days = int(rule["window_days"])
            if rule["time_basis"] == "calendar_days":
                return self.business_date(as_of) > self.business_date(entered_at) + timedelta(days=window_days)
            return as_of >= entered_at + timedelta(days=window_days)
        if converted_at is not None or journey.ended_at is not None:
            return True
        return bool(rule["maturity_days"]) and as_of - entered_at >= timedelta(days=int(rule["maturity_days"]))

    def entrants(self, journeys: Sequence[Journey]) -> list[Entry]:
        """Which journeys entered which row of conversion_definition.

        A row takes the journeys of its scope that entered while it was valid. Where several rows of a definition match
        a journey the one with the narrowest scope replaces the others.
        """
        entered = []
        for journey in journeys:
            found: dict[str, list[Entry]] = defaultdict(list)
            for rule in self.policies["conversion_definition"]:
                entry = self.entry(journey, rule)
                if entry is None or not self.is_valid_on(rule, self.business_date(entry.entered_at)):
                    continue
                if self.matches_scope(rule, journey):
                    found[rule["conversion_definition"]].append(entry)
            for candidates in found.values():
                narrowest = max(self.narrowness(entry.rule) for entry in candidates)
                entered += [entry for entry in candidates if self.narrowness(entry.rule) == narrowest]
        return entered

    def admits(self, rule: PolicyRow, journey: Journey, numbers: Sequence[int]) -> bool:
        """Does recycled_policy count the journey, given all journeys of the person that entered any version?"""
        chosen = {"first_journey": min(numbers), "last_journey": max(numbers), "every_journey": journey.number}
        return journey.number == chosen[rule["recycled_policy"]]

    def conversions(self, journeys: Sequence[Journey], as_of: datetime) -> list[Conversion]:
        """Every journey under every version of a definition that it entered.

        Denominator: admitted by recycled_policy and, with a window, mature. Numerator: of those, converted (within the
        window, when there is one). Converted before entry counts without a window only, and its duration is unknown.
        """
        entered = self.entrants(journeys)
        numbers: dict[tuple[str, RecordId], list[int]] = defaultdict(list)
        for entry in entered:
            numbers[(entry.rule["conversion_definition"], entry.journey.person)].append(entry.journey.number)
        return [
            self.conversion(entry, numbers[(entry.rule["conversion_definition"], entry.journey.person)], as_of)
            for entry in entered
        ]

    def conversion(self, entry: Entry, numbers: Sequence[int], as_of: datetime) -> Conversion:
        """One journey under one row of conversion_definition, given all journeys of the person that entered any row of
        the same definition."""
        rule, journey, entered_at = entry.rule, entry.journey, entry.entered_at
        converted_at = self.converted_at(journey, rule)
        backwards = converted_at is not None and converted_at < entered_at
        mature = self.is_mature(rule, journey, entered_at, converted_at, as_of)
        admitted = self.admits(rule, journey, numbers)
        in_denominator = admitted and (mature or not rule["window_days"])
        failure = self.failure(rule, entered_at, converted_at)
        seconds = days = None
        if converted_at is not None and not backwards:
            seconds = (converted_at - entered_at).total_seconds()
            days = self.days_between(rule, entered_at, converted_at)
        return Conversion(
            person=journey.person,
            number=journey.number,
            conversion_definition=rule["conversion_definition"],
            version=int(rule["version"]),
            scope=(rule["scope_region"], rule["scope_product_line"]),
            entered_at=entered_at,
            converted_at=converted_at,
            seconds_to_convert=seconds,
            days_to_convert=days,
            is_imputed=entry.is_imputed,
            is_out_of_order=entry.is_out_of_order,
            is_converted_before_entry=backwards,
            is_mature=mature,
            in_denominator=in_denominator,
            in_numerator=in_denominator and failure is None,
            why_not=self.why_not(admitted, mature or not rule["window_days"], failure),
        )

    def failure(self, rule: PolicyRow, entered_at: datetime, converted_at: datetime | None) -> str | None:
        """Why a journey that counts did not convert as the definition asks; None when it did."""
        if converted_at is None:
            return "not_converted"
        if not rule["window_days"]:
            return None
        if converted_at < entered_at:
            return "conversion_before_entry"
        return None if self.is_in_window(rule, entered_at, converted_at) else "converted_late"

    @staticmethod
    def why_not(admitted: bool, mature: bool, failure: str | None) -> str | None:
        """The first reason for not being in the numerator: not admitted, window not over, not converted as asked."""
        if not admitted:
            return "recycled_policy"
        return failure if mature else "immature"

    def days_between(self, rule: PolicyRow, one: datetime, other: datetime) -> int:
        """Completed 24 hours, or business dates apart, as the definition counts."""
        if rule["time_basis"] == "calendar_days":
            return (self.business_date(other) - self.business_date(one)).days
        return (other - one) // timedelta(days=1)
