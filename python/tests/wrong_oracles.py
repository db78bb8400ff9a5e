"""Oracles with one rule wrong each.

The comparison of SQL and oracle is only as good as the histories: where no batch tells a wrong oracle from SQL, the
histories never reach the rule. Names say what each of them believes.
"""

# ruff: noqa: ARG002, ARG004 (a wrong rule often does not look at what the right one needs)

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from oracle import (
    END_OF_TIME,
    FORWARD_STAGES,
    STAGE_ORDER,
    TERMINAL_STAGES,
    Entry,
    Journey,
    Oracle,
    PolicyRow,
    RecordId,
    Row,
    StageEvent,
    Tables,
    recorded_at,
)


class NoEmailCase(Oracle):
    def email_key(self, raw: str | None) -> str | None:
        return raw if super().email_key(raw) else None


class JunkEmailsJoin(Oracle):
    def email_key(self, raw: str | None) -> str | None:
        return super().email_key(raw) or (raw or None)


class SharedMailboxesJoin(Oracle):
    def is_shared_mailbox(self, email: str) -> bool:
        return False


class VisitorsJoin(Oracle):
    def joins_people(self, link: Row) -> bool:
        return True

    def persons(self, rows: Tables) -> dict[RecordId, RecordId]:
        links = [link for link in rows["identity_link"] if link["link_type"] == "visitor"]
        joined = [
            {**link, "from_source_system": one["to_source_system"]}
            | {"from_record_type": one["to_record_type"], "from_source_id": one["to_source_id"]}
            for link in links
            for one in links
            if one["from_source_id"] == link["from_source_id"]
        ]
        return super().persons({**rows, "identity_link": [*rows["identity_link"], *joined]})


class MergesDoNotJoin(Oracle):
    def joins_people(self, link: Row) -> bool:
        return bool(link["link_type"] != "merge")


class LatestRecordNames(Oracle):
    def naming_record(self, component: Iterable[RecordId]) -> RecordId:
        return max(component, key=lambda record: (self.created_at[record], self.keys.record.get(record, 0)))


class HighestKeyNames(Oracle):
    def naming_record(self, component: Iterable[RecordId]) -> RecordId:
        return min(component, key=lambda record: (self.created_at[record], -self.keys.record.get(record, 0)))


class LastVersionCounts(Oracle):
    def version_order(self, row: Row) -> Any:
        return datetime.min - super().version_order(row)


class FutureTimesCount(Oracle):
    def clock_tolerance(self) -> timedelta:
        return timedelta(days=2)


class EverythingIsKnown(Oracle):
    def exists(self, row: Row, as_of: datetime | None) -> bool:
        return True


class KnownOnlyBeforeAsOf(Oracle):
    def exists(self, row: Row, as_of: datetime | None) -> bool:
        return super().exists(row, as_of) and recorded_at(row) != as_of


class HappenedMeansKnown(Oracle):
    def exists(self, row: Row, as_of: datetime | None) -> bool:
        return as_of is None or row["occurred_at"] <= as_of


class StatusesAreExact(Oracle):
    def mapped_stage(self, row: Row) -> str | None:
        return super().mapped_stage(row) if row["status_raw"] == (row["status_raw"] or "").strip() else None


class EveryStageRowTells(Oracle):
    def opportunity_states(self, opportunity: Row, history: Iterable[Row]) -> list[tuple[Row, str]]:
        return [
            told for row in history for told in super(EveryStageRowTells, self).opportunity_states(opportunity, [row])
        ]


class ParkedOpportunitiesForget(Oracle):
    def is_qualified(self, opportunity: Row, row: Row) -> bool:
        return True


class QualifiedByCase(Oracle):
    def is_qualified(self, opportunity: Row, row: Row) -> bool:
        return super().is_qualified(opportunity, {**row, "forecast_category": None})


class NoTolerance(Oracle):
    def tolerance(self, stage: str, system: str) -> timedelta:
        return timedelta(0)


class ToleranceExcluded(Oracle):
    @staticmethod
    def is_within(tolerance: timedelta, one: datetime, other: datetime) -> bool:
        return abs(one - other) < tolerance


class RecordsAreNotNeeded(Oracle):
    def governs(self, stage: str, system: str, moment: datetime, records: Iterable[RecordId]) -> bool:
        return (stage, system) in self.authorities


class AnyRecordEver(Oracle):
    def governs(self, stage: str, system: str, moment: datetime, records: Iterable[RecordId]) -> bool:
        return super().governs(stage, system, END_OF_TIME - timedelta(days=30), records)


class UnlistedNeverCount(Oracle):
    def authority_of(self, event: StageEvent, records: Iterable[RecordId]) -> str:
        listed = sorted(
            (rule["priority"], system) for (stage, system), rule in self.authorities.items() if stage == event.stage
        )
        found = super().authority_of(event, records)
        return listed[0][1] if listed and (event.stage, found) not in self.authorities else found


class SequenceIgnored(Oracle):
    def order(self, event: StageEvent) -> tuple[Any, ...]:
        return (event.occurred_at, STAGE_ORDER[event.stage])


class StageOrderIgnored(Oracle):
    def order(self, event: StageEvent) -> tuple[Any, ...]:
        return (event.occurred_at, event.event_sequence, self.keys.event.get(event.name, 0))


class GapMustBeExceeded(Oracle):
    def starts_next_journey(self, previous: StageEvent, event: StageEvent) -> bool:
        just_before = replace(event, occurred_at=event.occurred_at - timedelta(microseconds=1))
        return super().starts_next_journey(previous, just_before)


class GapInBusinessDays(Oracle):
    def starts_next_journey(self, previous: StageEvent, event: StageEvent) -> bool:
        days = [datetime.combine(self.business_date(one.occurred_at), datetime.min.time()) for one in (previous, event)]
        return super().starts_next_journey(replace(previous, occurred_at=days[0]), replace(event, occurred_at=days[1]))


class EveryReturnIsNew(Oracle):
    def starts_next_journey(self, previous: StageEvent, event: StageEvent) -> bool:
        return previous.stage in TERMINAL_STAGES and event.stage not in TERMINAL_STAGES


class MilestonesRunBackwards(Oracle):
    def milestone_at(self, journey: Journey, stage: str) -> datetime | None:
        return self.first_at(journey, stage)


class LastTimeCounts(Oracle):
    def milestone_at(self, journey: Journey, stage: str) -> datetime | None:
        moments = [event.occurred_at for event in journey.events if event.stage == stage]
        return None if super().milestone_at(journey, stage) is None else max(moments)


class NothingIsImputed(Oracle):
    def reached(self, journey: Journey, stage: str) -> datetime | None:
        return None


class OnlyNextStageIsImputed(Oracle):
    def reached(self, journey: Journey, stage: str) -> datetime | None:
        return self.milestone_at(journey, stage) or self.milestone_at(
            journey, FORWARD_STAGES[min(STAGE_ORDER[stage], len(FORWARD_STAGES) - 1)]
        )


class ConversionIsNotImputed(Oracle):
    def converted_at(self, journey: Journey, rule: PolicyRow) -> datetime | None:
        return self.moment_of(journey, rule["to_milestone"])


class OutOfOrderDoesNotEnter(Oracle):
    def entry(self, journey: Journey, rule: PolicyRow) -> Entry | None:
        entry = super().entry(journey, rule)
        return None if entry is None or entry.is_out_of_order else entry


class WindowExcludesItsEnd(Oracle):
    def is_in_window(self, rule: PolicyRow, entered_at: datetime, converted_at: datetime) -> bool:
        return super().is_in_window(rule, entered_at, converted_at + timedelta(microseconds=1))


class WindowInWholeSeconds(Oracle):
    def is_in_window(self, rule: PolicyRow, entered_at: datetime, converted_at: datetime) -> bool:
        return super().is_in_window(rule, entered_at, converted_at - timedelta(seconds=1))


class CalendarDaysInUtc(Oracle):
    def is_in_window(self, rule: PolicyRow, entered_at: datetime, converted_at: datetime) -> bool:
        if rule["time_basis"] == "calendar_days":
            return (converted_at.date() - entered_at.date()).days <= int(rule["window_days"])
        return super().is_in_window(rule, entered_at, converted_at)


class CalendarDaysAreExact(Oracle):
    def is_in_window(self, rule: PolicyRow, entered_at: datetime, converted_at: datetime) -> bool:
        return super().is_in_window({**rule, "time_basis": "exact"}, entered_at, converted_at)


class MatureMustBeExceeded(Oracle):
    def is_mature(
        self, rule: PolicyRow, journey: Journey, entered_at: datetime, converted_at: datetime | None, as_of: datetime
    ) -> bool:
        return super().is_mature(rule, journey, entered_at, converted_at, as_of - timedelta(microseconds=1))


class LastDayNeedNotEnd(Oracle):
    def is_mature(
        self, rule: PolicyRow, journey: Journey, entered_at: datetime, converted_at: datetime | None, as_of: datetime
    ) -> bool:
        tomorrow = as_of + timedelta(days=1) if rule["time_basis"] == "calendar_days" else as_of
        return super().is_mature(rule, journey, entered_at, converted_at, tomorrow)


class ConvertedIsMature(Oracle):
    def is_mature(
        self, rule: PolicyRow, journey: Journey, entered_at: datetime, converted_at: datetime | None, as_of: datetime
    ) -> bool:
        return converted_at is not None or super().is_mature(rule, journey, entered_at, converted_at, as_of)


class AgeDoesNotMature(Oracle):
    def is_mature(
        self, rule: PolicyRow, journey: Journey, entered_at: datetime, converted_at: datetime | None, as_of: datetime
    ) -> bool:
        return super().is_mature({**rule, "maturity_days": ""}, journey, entered_at, converted_at, as_of)


class EveryJourneyCounts(Oracle):
    def admits(self, rule: PolicyRow, journey: Journey, numbers: Sequence[int]) -> bool:
        return True


class FirstJourneyOfAll(Oracle):
    def admits(self, rule: PolicyRow, journey: Journey, numbers: Sequence[int]) -> bool:
        return super().admits(rule, journey, [1, *numbers])


class ScopesAdd(Oracle):
    @staticmethod
    def narrowness(rule: PolicyRow) -> int:
        return 0


class AnyScopeIsNarrow(Oracle):
    @staticmethod
    def narrowness(rule: PolicyRow) -> int:
        return min(1, Oracle.narrowness(rule))


class UnknownRegionMatches(Oracle):
    def matches_scope(self, rule: PolicyRow, journey: Journey) -> bool:
        unknown = self.attributes[journey.events[0].record]["region"] is None
        return super().matches_scope({**rule, "scope_region": "*"} if unknown else rule, journey)


class RegionOfThePerson(Oracle):
    def matches_scope(self, rule: PolicyRow, journey: Journey) -> bool:
        opening = replace(journey.events[0], record=journey.person)
        return super().matches_scope(rule, replace(journey, events=(opening,)))


class ValidToIncluded(Oracle):
    def is_valid_on(self, rule: PolicyRow, day: date) -> bool:
        return super().is_valid_on(rule, day) or rule["valid_to"] == day.isoformat()


class VersionByUtcDay(Oracle):
    def is_valid_on(self, rule: PolicyRow, day: date) -> bool:
        return super().is_valid_on(rule, day - timedelta(days=1))


class BackwardsConverts(Oracle):
    def failure(self, rule: PolicyRow, entered_at: datetime, converted_at: datetime | None) -> str | None:
        found = super().failure(rule, entered_at, converted_at)
        return None if found == "conversion_before_entry" else found


class UnknownDurationIsNoContact(Oracle):
    def is_sales_contact(self, row: Row) -> bool:
        return row["duration_seconds"] is not None and super().is_sales_contact(row)


class PlannedIsContact(Oracle):
    def is_sales_contact(self, row: Row) -> bool:
        return super().is_sales_contact({**row, "is_completed": True})


class FirstOwnerKeepsBrowser(Oracle):
    def person_of_visitor(self, visitor: str | None, moment: datetime) -> RecordId | None:
        return super().person_of_visitor(visitor, datetime.min)


class LastOwnerOfBrowser(Oracle):
    def person_of_visitor(self, visitor: str | None, moment: datetime) -> RecordId | None:
        return super().person_of_visitor(visitor, END_OF_TIME)


WRONG_ORACLES = sorted(Oracle.__subclasses__(), key=lambda oracle: oracle.__name__)
