"""Hypothesis strategies: random policies and random histories of a few people each.

One drawn example is one history: the rows of a handful of records that may or may not be one human. Many histories are
put into one batch, so that one dbt build checks hundreds. Times are chosen to sit on the edges of the rules: exactly a
gap, a tolerance or a window apart, a second more or less, around midnight of the business time zone and around the
change of its clocks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from contract_build import contract_columns
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from oracle import FORWARD_STAGES, STAGE_ORDER, TERMINAL_STAGES, Policies, Row, Settings

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

SYSTEMS = ("salesforce", "hubspot")
STAGES = tuple(STAGE_ORDER)
COLUMNS = contract_columns()
STATUS_TABLE = {"salesforce": "lead_history", "hubspot": "contact_property_history"}
OPPORTUNITY_TABLE = {"salesforce": "opportunity", "hubspot": "deal"}
OPPORTUNITY_STAGE_TABLE = {"salesforce": "opportunity_history", "hubspot": "deal_stage"}
DAY = 86_400
# {n} becomes the number of the history, so that histories share no address but those that must not join people.
NAMES = ("anna.{n}@acme.test", "ben.{n}@acme.test", "carl+crm.{n}@acme.co.test")
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str,
    str.upper,
    str.title,
    lambda email: f"  {email} ",
    lambda email: f"mailto:{email}",
    lambda email: f" MailTo:{email.upper()}",
    lambda email: f"<{email}>",
)
JUNK = (
    None,
    "",
    "n/a",
    "anna",
    "@acme.test",
    "anna@acme",
    "anna@acme.",
    "anna@@acme.test",
    "anna@home@acme.test",
    "anna smith@acme.test",
    "anna@acme.test, ben@acme.test",
    "anna@acme.test;ben@acme.test",
    "anna@acme.test ben@acme.test",
)


def draw_many(strategy: st.SearchStrategy[T], count: int, number: int) -> list[T]:
    """So many different examples of a strategy, the same ones for the same seed number.

    Drawn a few at a time, since Hypothesis makes later examples of one run out of earlier ones.
    """
    found: dict[str, T] = {}

    def collect(example: T) -> None:
        found.setdefault(repr(example), example)

    for turn in itertools.count():
        run = settings(
            max_examples=10,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(given(strategy)(collect))
        seed(f"{number} {turn}")(run)()
        if len(found) >= count:
            break
    return list(found.values())[:count]


# Policies -------------------------------------------------------------------------------------------------------------


@st.composite
def policies(draw: Draw, shipped: Policies) -> Policies:
    """Random rules that obey the project's own checks of its rules; what is not drawn is as shipped."""
    return {
        **shipped,
        "status_map": [*shipped["status_map"], *_own_statuses()],
        "recycle_rule": [
            {"stage": stage, "min_gap_days": str(days), "note": ""}
            for stage in TERMINAL_STAGES
            if (days := draw(st.sampled_from([0, 1, 7, 30, 30, 90, None]))) is not None
        ]
        or [{"stage": "recycled", "min_gap_days": "30", "note": ""}],
        "stage_authority": draw(_authorities()),
        "qualified_opportunity_rule": draw(_qualified_opportunity_rules()),
        "conversion_definition": draw(_conversion_definitions()),
        "sales_contact_rule": draw(_sales_contact_rules()),
        "shared_mailbox": [
            *shipped["shared_mailbox"],
            {"match_type": "address", "pattern": "front.desk@acme.test", "note": ""},
            {"match_type": "domain", "pattern": "shared.test", "note": ""},
            {"match_type": "local_part", "pattern": "reception", "note": ""},
        ],
    }


def _own_statuses() -> list[dict[str, str]]:
    """A status field in which either system can tell any stage that a status may mean."""
    return [
        {
            "source_system": system,
            "status_field": "journey",
            "status_raw": f"{stage} Reached",
            "stage": stage,
            "note": "",
        }
        for system in SYSTEMS
        for stage in (*STAGES, "ignored")
        if stage not in ("won", "lost")
    ]


@st.composite
def _authorities(draw: Draw) -> list[dict[str, str]]:
    rows = []
    for stage in STAGES:
        listed = draw(st.sampled_from([SYSTEMS, SYSTEMS, SYSTEMS[::-1], SYSTEMS[::-1], SYSTEMS[:1], SYSTEMS[1:], ()]))
        for priority, system in enumerate(listed, start=1):
            hours = draw(st.sampled_from([0, 1, 24, 24, 48]))
            rows.append(
                {
                    "stage": stage,
                    "source_system": system,
                    "priority": str(priority * 10),
                    "tolerance_hours": str(hours),
                }
            )
    return rows or [{"stage": "mql", "source_system": "hubspot", "priority": "1", "tolerance_hours": "24"}]


@st.composite
def _qualified_opportunity_rules(draw: Draw) -> list[dict[str, str]]:
    texts = [
        ("opportunity_type", "not_in", "renewal|Existing Business - Renewal"),
        ("opportunity_type", "in", "New Business|Upgrade"),
        ("forecast_category", "not_in", "Omitted"),
        ("stage_raw", "not_in", "parked"),
    ]
    numbers = [
        ("probability", "at_least", "0.1"),
        ("probability", "at_least", "0.5"),
        ("amount", "at_least", "1000"),
        ("amount", "at_most", "1000"),
    ]
    chosen = [
        *draw(st.lists(st.sampled_from(texts), min_size=1, max_size=2, unique=True)),
        draw(st.sampled_from(numbers)),
    ]
    return [
        {
            "rule_number": str(number),
            "field": field_,
            "operator": operator,
            "value": value,
            "passes_when_null": draw(st.sampled_from(["true", "true", "false"])),
            "note": "",
        }
        for number, (field_, operator, value) in enumerate(chosen, start=1)
    ]


@st.composite
def _sales_contact_rules(draw: Draw) -> list[dict[str, str]]:
    choices = [(kind, direction) for kind in ("call", "email", "meeting") for direction in ("*", "inbound", "outbound")]
    return [
        {
            "activity_type": kind,
            "direction": direction,
            "completed_only": draw(st.sampled_from(["true", "true", "false"])),
            "min_duration_seconds": str(draw(st.sampled_from([0, 0, 60]))),
            "note": "",
        }
        for kind, direction in draw(st.lists(st.sampled_from(choices), min_size=1, max_size=4, unique=True))
    ]


_MILESTONE_PAIRS = [
    *itertools.combinations(FORWARD_STAGES, 2),
    ("first_touch", "first_sales_contact"),
    ("first_sales_contact", "first_touch"),
    ("first_touch", "inquiry"),
    ("first_touch", "won"),
    ("mql", "first_sales_contact"),
    ("first_sales_contact", "sql"),
]


@st.composite
def _conversion_definitions(draw: Draw) -> list[dict[str, str]]:
    """A dozen definitions of one to three rows: versions by date, rows for one region or product line.

    Rows of one definition agree on how a journey enters it and which of a person's journeys count: the rules do not
    say whether a row for a region replaces the general one also for a journey of the region that enters by the general
    row only, nor who is counted once when one version counts first journeys and the next one last journeys.
    """
    rows = []
    for number in range(12):
        start, goal = draw(st.sampled_from(_MILESTONE_PAIRS))
        skipped = draw(st.sampled_from(["impute", "impute", "exclude"]))
        recycled = draw(st.sampled_from(["every_journey", "first_journey", "first_journey", "last_journey"]))
        change = draw(st.sampled_from(["2024-03-10", "2024-03-31", "2024-07-01", "2024-11-03"]))
        shape = draw(st.sampled_from(["one", "one", "versions", "region", "region_versions", "both", "nested"]))
        scopes = {
            "one": [("*", "*", "2000-01-01", "")],
            "versions": [("*", "*", "2000-01-01", change), ("*", "*", change, "")],
            "region": [("*", "*", "2000-01-01", ""), ("north", "*", "2000-01-01", "")],
            "region_versions": [
                ("*", "*", "2000-01-01", ""),
                ("north", "*", "2000-01-01", change),
                ("north", "*", change, ""),
            ],
            "both": [("*", "*", "2000-01-01", ""), ("north", "core", "2000-01-01", "2024-09-01")],
            "nested": [
                ("*", "*", "2000-01-01", ""),
                ("north", "*", "2000-01-01", ""),
                ("north", "core", "2000-01-01", ""),
            ],
        }[shape]
        for version, (region, product_line, valid_from, valid_to) in enumerate(scopes, start=1):
            if draw(st.booleans()):
                basis, window = "window", str(draw(st.sampled_from([1, 2, 7, 30, 60, 90])))
                time_basis = draw(st.sampled_from(["exact", "calendar_days"]))
                maturity = ""
            else:
                basis, window, time_basis = "stage", "", "exact"
                maturity = draw(st.sampled_from(["", "", "30", "90"]))
            rows.append(
                {
                    "conversion_definition": f"definition_{number}",
                    "version": str(version),
                    "conversion_name": f"Definition {number}",
                    "from_milestone": start,
                    "to_milestone": goal,
                    "basis": basis,
                    "window_days": window,
                    "time_basis": time_basis,
                    "recycled_policy": recycled,
                    "skipped_policy": skipped,
                    "maturity_days": maturity,
                    "scope_region": region,
                    "scope_product_line": product_line,
                    "minimum_volume": "1",
                    "valid_from": valid_from,
                    "valid_to": valid_to,
                    "owner": "tester",
                    "note": "",
                }
            )
    return rows


# Histories ------------------------------------------------------------------------------------------------------------


def row(entity: str, **cells: Any) -> dict[str, Any]:
    """A row of the contract; columns not given are null."""
    return {**dict.fromkeys(COLUMNS[entity]), **cells}


@dataclass
class Story:
    """The rows of one history while it is being drawn."""

    draw: Draw
    policies: Policies
    settings: Settings
    anchor: datetime
    tables: dict[str, list[Row]] = field(default_factory=lambda: {entity: [] for entity in COLUMNS})
    records: list[tuple[str, str, str]] = field(default_factory=list)
    opportunities: dict[tuple[str, str, str], list[dict[str, Any]]] = field(default_factory=dict)
    ids: int = 0

    def chance(self, percent: int) -> bool:
        """True in about so many of a hundred draws."""
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def new_id(self, kind: str) -> str:
        """A source id that no other row has."""
        self.ids += 1
        return f"{{n}}-{kind}{self.ids}"

    def add(self, entity: str, **cells: Any) -> dict[str, Any]:
        """Add a row."""
        added = row(entity, **cells)
        self.tables[entity].append(added)
        return added

    def known(self, occurred_at: datetime, percent_future: int = 0) -> dict[str, Any]:
        """occurred_at with when the source knew it and when the loader saw it.

        Usually known at once, sometimes days late. A time in the future by exactly the tolerance is accepted, one
        second more is not.
        """
        if self.chance(percent_future):
            seen = occurred_at - timedelta(seconds=DAY + self.draw(st.sampled_from([0, 1])))
            return {"occurred_at": occurred_at, "recorded_at": seen, "loaded_at": seen}
        lag = self.draw(st.sampled_from([None, None, 0, 0, 3600, 3 * DAY, 40 * DAY]))
        recorded = None if lag is None else occurred_at + timedelta(seconds=lag)
        delay = self.draw(st.sampled_from([None, 0, 600]))
        loaded = None if delay is None else (recorded or occurred_at) + timedelta(seconds=delay)
        return {"occurred_at": occurred_at, "recorded_at": recorded, "loaded_at": loaded}

    def sequence(self) -> int | None:
        """The source's tie-break: mostly absent."""
        number: int | None = self.draw(st.sampled_from([None, None, 0, 1, 2]))
        return number


def _edges(policies_: Policies) -> list[int]:
    """Seconds that some rule compares with, and one more and one less."""
    seconds = [int(rule["min_gap_days"]) * DAY for rule in policies_["recycle_rule"]]
    seconds += [int(rule["tolerance_hours"]) * 3600 for rule in policies_["stage_authority"]]
    seconds += [int(rule["window_days"]) * DAY for rule in policies_["conversion_definition"] if rule["window_days"]]
    return sorted({max(0, edge + step) for edge in seconds for step in (-1, 0, 1)})


def _midnight_after(moment: datetime, zone: ZoneInfo) -> datetime:
    """The next midnight of the time zone, in UTC."""
    day = moment.replace(tzinfo=UTC).astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC).replace(tzinfo=None)


ORDINARY_DAYS = [
    datetime.fromisoformat(day) for day in ("2024-01-10", "2024-03-09", "2024-03-30", "2024-06-30", "2024-08-01")
]
# Seconds of such a day, UTC; some are midnights of Berlin and New York in winter or summer, some a second before.
ORDINARY_SECONDS = [0, 8 * 3600, 22 * 3600 - 1, 22 * 3600, 23 * 3600, 28 * 3600, 29 * 3600 - 1]


def _starts(story: Story) -> datetime:
    """When a history starts: near a change of clocks, or so that a window ends about as_of."""
    draw = story.draw
    if story.chance(40):
        windows = [int(rule["window_days"]) for rule in story.policies["conversion_definition"] if rule["window_days"]]
        back = timedelta(days=draw(st.sampled_from(windows or [30])), seconds=draw(st.sampled_from([-1, 0, 0, 1])))
        if story.chance(40):
            return _midnight_after(story.anchor - back - timedelta(days=1), ZoneInfo(story.settings.business_timezone))
        return story.anchor - back
    day: datetime = draw(st.sampled_from(ORDINARY_DAYS))
    return day + timedelta(seconds=draw(st.sampled_from(ORDINARY_SECONDS)))


def _later(story: Story, moment: datetime, stage: str) -> datetime:
    """The time of the step after a stage: at once, at some edge, at a midnight, or any time within six weeks."""
    draw = story.draw
    gaps = [int(rule["min_gap_days"]) for rule in story.policies["recycle_rule"] if rule["stage"] == stage]
    if gaps and story.chance(60):
        return moment + timedelta(seconds=max(0, gaps[0] * DAY + draw(st.sampled_from([-1, 0, 0, 1, 5 * DAY]))))
    kind = draw(st.integers(0, 9))
    if kind <= 1:
        return moment
    if kind <= 5:
        return moment + timedelta(seconds=draw(st.sampled_from(_edges(story.policies))))
    if kind == 6:
        midnight = _midnight_after(moment, ZoneInfo(story.settings.business_timezone))
        return midnight + timedelta(seconds=draw(st.sampled_from([-1, 0, 1])))
    if kind == 7:
        return moment + timedelta(microseconds=draw(st.sampled_from([1, 1000, 999_999, 1_500_000])))
    return moment + timedelta(seconds=draw(st.integers(1, 42 * DAY)))


def _shared_addresses(policies_: Policies) -> list[str]:
    example = {"local_part": "{}@acme.test", "domain": "someone@{}", "address": "{}"}
    return [example[rule["match_type"]].format(rule["pattern"]) for rule in policies_["shared_mailbox"]]


def _add_records(story: Story, start: datetime) -> None:
    draw = story.draw
    for _ in range(draw(st.integers(1, 5))):
        system = draw(st.sampled_from(SYSTEMS))
        record_type = draw(st.sampled_from(["lead", "contact"] if system == "salesforce" else ["contact"]))
        kind = draw(st.integers(0, 9))
        if kind <= 6:
            email = draw(st.sampled_from(SPELLINGS))(NAMES[0 if kind <= 4 else draw(st.integers(0, 2))])
        elif kind == 7:
            email = draw(st.sampled_from(SPELLINGS))(draw(st.sampled_from(_shared_addresses(story.policies))))
        else:
            email = draw(st.sampled_from(JUNK))
        hours = draw(st.sampled_from([-40 * 24, -48, -24, -1, 0, 0, 0, 1, 24, 25, 20 * 24, 60 * 24]))
        is_deleted = story.chance(8)
        record = (system, record_type, story.new_id("r"))
        cells: dict[str, Any] = {
            "source_system": system,
            "source_table": record_type,
            "source_id": record[2],
            "record_type": record_type,
            "email": email,
            "region": draw(st.sampled_from([None, "north", "north", "south"])),
            "product_line": draw(st.sampled_from([None, "core", "core", "plus"])),
            "is_deleted": is_deleted,
            "is_merged": is_deleted and story.chance(60),
            **story.known(start + timedelta(hours=hours), percent_future=3),
        }
        story.add("lead_record", **cells)
        story.records.append(record)
        if story.chance(4):
            _add_later_version(story, "lead_record", {**cells, "email": NAMES[2]})


def _add_later_version(story: Story, entity: str, cells: dict[str, Any]) -> None:
    """Deliver the row a second time, known later."""
    later = timedelta(seconds=story.draw(st.sampled_from([1, 5 * DAY])))
    known = (cells["recorded_at"] or cells["occurred_at"]) + later
    story.add(entity, **{**cells, "recorded_at": known, "loaded_at": known})


def _add_links(story: Story, start: datetime) -> None:
    draw = story.draw
    known_ends = [*story.records, *story.records, ("salesforce", "lead", "{n}-nobody"), ("erp", "contact", "{n}-r1")]
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 4]))):
        one, other = draw(st.sampled_from(known_ends)), draw(st.sampled_from(known_ends))
        link_type = draw(st.sampled_from(["conversion", "merge", "explicit", "visitor"]))
        if link_type == "visitor":
            one = ("web", "visitor", f"{{n}}-v{draw(st.integers(1, 2))}")
        _add_link(story, link_type, one, other, start + timedelta(days=draw(st.sampled_from([0, 1, 30]))))


def _add_link(
    story: Story, link_type: str, one: tuple[str, str, str], other: tuple[str, str, str], moment: datetime
) -> None:
    # No two links of a browser at the same instant: whose it is then, no rule says.
    moment += timedelta(microseconds=story.ids)
    story.add(
        "identity_link",
        source_system=one[0],
        source_table="link",
        source_id=story.new_id("l"),
        link_type=link_type,
        from_source_system=one[0],
        from_record_type=one[1],
        from_source_id=one[2],
        to_source_system=other[0],
        to_record_type=other[1],
        to_source_id=other[2],
        **story.known(moment),
    )


def _tell_status(story: Story, record: tuple[str, str, str], stage: str, moment: datetime) -> bool:
    """Let a record's system tell a stage by a status; False when its statuses cannot say it."""
    draw = story.draw
    labels: list[tuple[str, str | None]] = [
        (rule["status_field"], rule["status_raw"])
        for rule in story.policies["status_map"]
        if rule["source_system"] == record[0] and rule["stage"] == stage
    ]
    if stage == "unmapped":
        labels = [("status", "Brand New Label"), ("no_such_field", "Open"), ("lifecyclestage", None)]
    if not labels:
        return False
    status_field, label = draw(st.sampled_from(labels))
    if label is not None:
        label = draw(st.sampled_from([label, label, label.upper(), label.lower(), f" {label}  "]))
    cells: dict[str, Any] = {
        "source_system": record[0],
        "source_table": STATUS_TABLE[record[0]],
        "source_id": story.new_id("s"),
        "record_type": record[1],
        "record_source_id": record[2],
        "status_field": status_field,
        "status_raw": label,
        "event_sequence": story.sequence(),
        **story.known(moment, percent_future=2),
    }
    story.add("status_event", **cells)
    if story.chance(3):
        _add_later_version(story, "status_event", {**cells, "status_raw": draw(st.sampled_from(labels))[1]})
    return True


def _tell_opportunity(story: Story, record: tuple[str, str, str], stage: str, moment: datetime) -> None:
    """Let a record's system tell opportunity, won, lost or a parked opportunity by the flags of an opportunity."""
    draw = story.draw
    system = record[0]
    if record not in story.opportunities or story.chance(25):
        belongs = record
        if story.chance(4):
            belongs = draw(st.sampled_from([(system, record[1], "{n}-nobody"), (system, None, None)]))
        opportunity = story.add(
            "opportunity",
            source_system=system,
            source_table=OPPORTUNITY_TABLE[system],
            source_id=story.new_id("o"),
            record_type=belongs[1],
            record_source_id=belongs[2],
            opportunity_type=draw(st.sampled_from([None, "New Business", "New Business", "Upgrade", "Renewal"])),
            is_deleted=story.chance(4),
            region=draw(st.sampled_from([None, "north", "south"])),
            product_line=draw(st.sampled_from([None, "core", "plus"])),
            currency_code="EUR",
            occurred_at=moment,
            recorded_at=None,
            loaded_at=None,
        )
        story.opportunities.setdefault(record, []).append(opportunity)
    opportunity = story.opportunities[record][-1]
    if story.chance(10):
        opportunity = draw(st.sampled_from(story.opportunities[record]))
    open_values = [(0.1, "1000"), (0.5, "1000"), (0.5, "2500.50"), (None, "999.99"), (0.9, None)]
    probability, amount = draw(st.sampled_from(open_values)) if stage == "opportunity" else (None, "1000")
    if stage == "parked":
        probability = 0.0
    event = story.add(
        "opportunity_stage_event",
        source_system=system,
        source_table=OPPORTUNITY_STAGE_TABLE[system],
        source_id=story.new_id("e"),
        opportunity_source_id=opportunity["source_id"],
        stage_raw=draw(st.sampled_from(["Closed Won", "Parked", "Negotiation"])),
        forecast_category=draw(st.sampled_from([None, "Pipeline", "omitted"])),
        is_closed=stage == "lost" or (stage == "won" and not story.chance(10)) or draw(st.sampled_from([False, None])),
        is_won=stage == "won" or draw(st.sampled_from([False, False, None])),
        probability=probability,
        amount=amount,
        currency_code="EUR",
        event_sequence=story.sequence(),
        **story.known(moment, percent_future=2),
    )
    if story.chance(20):
        # The CRM writes a row for any edit: the same state once more.
        later = event["occurred_at"] + timedelta(seconds=draw(st.sampled_from([0, 1, DAY])))
        again = {"source_id": story.new_id("e"), "occurred_at": later, "recorded_at": None, "loaded_at": None}
        story.add("opportunity_stage_event", **{**event, **again})


def _tell(story: Story, record: tuple[str, str, str], stage: str, moment: datetime) -> None:
    by_flags = stage in ("won", "lost", "parked") or (stage == "opportunity" and story.chance(70))
    if by_flags or (not _tell_status(story, record, stage, moment) and stage == "opportunity"):
        _tell_opportunity(story, record, stage, moment)


def _add_touches(story: Story, moments: Sequence[datetime]) -> None:
    """Marketing contacts: of a record, of an address, or of a browser that links join to records."""
    draw = story.draw
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 4]))):
        offset = draw(st.sampled_from([-40 * DAY, -3600, -1, 0, 1, DAY]))
        moment = draw(st.sampled_from(moments)) + timedelta(seconds=offset)
        record = draw(st.sampled_from([*story.records, *story.records, ("hubspot", "contact", "{n}-nobody")]))
        by = draw(st.sampled_from(["record", "record", "email", "visitor", "nobody"]))
        email = draw(st.sampled_from([*NAMES[:2], "info@acme.test"]))
        story.add(
            "touchpoint",
            source_system="web" if by == "visitor" else record[0],
            source_table="touch",
            source_id=story.new_id("t"),
            record_type=record[1] if by == "record" else None,
            record_source_id=record[2] if by == "record" else None,
            email=draw(st.sampled_from(SPELLINGS))(email) if by == "email" else None,
            visitor_id=f"{{n}}-v{draw(st.integers(1, 2))}" if by == "visitor" else None,
            touchpoint_type=draw(st.sampled_from(["web", "email", "ad", "event"])),
            utm_medium=draw(st.sampled_from([None, "cpc", "email"])),
            campaign_source_id="{n}-campaign",
            **story.known(moment, percent_future=2),
        )


def _add_shared_device(story: Story, start: datetime) -> None:
    """A browser that identified itself as two records, with touches before, at, between and after."""
    draw = story.draw
    moments = [start + timedelta(days=day) for day in (3, draw(st.sampled_from([3, 10])))]
    for moment in moments:
        _add_link(story, "visitor", ("web", "visitor", "{n}-shared"), draw(st.sampled_from(story.records)), moment)
    linked = [link["occurred_at"] for link in story.tables["identity_link"][-len(moments) :]]
    for moment in linked:
        for offset in (-1, 0, 1):
            story.add(
                "touchpoint",
                source_system="web",
                source_table="touch",
                source_id=story.new_id("t"),
                visitor_id="{n}-shared",
                touchpoint_type="web",
                **story.known(moment + timedelta(microseconds=offset)),
            )


def _add_activities(story: Story, moments: Sequence[datetime]) -> None:
    """Sellers' actions, some of them sales contacts by policy."""
    draw = story.draw
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 4]))):
        offset = draw(st.sampled_from([-DAY, -1, 0, 1, DAY, 20 * DAY]))
        moment = draw(st.sampled_from(moments)) + timedelta(seconds=offset)
        record = draw(st.sampled_from([*story.records, *story.records, ("hubspot", "contact", "{n}-nobody")]))
        story.add(
            "activity",
            source_system=record[0],
            source_table="task",
            source_id=story.new_id("a"),
            record_type=record[1],
            record_source_id=record[2],
            rep_source_id="{n}-rep",
            activity_type=draw(st.sampled_from(["call", "email", "meeting", "task", "note"])),
            direction=draw(st.sampled_from([None, "inbound", "outbound"])),
            is_completed=draw(st.sampled_from([True, True, False, None])),
            duration_seconds=draw(st.sampled_from([None, 0, 59, 60, 61])),
            **story.known(moment, percent_future=2),
        )


def _add_surroundings(story: Story, start: datetime) -> None:
    """One campaign with a day's spend, a rep, an account and a product event: as-of builds need some of everything."""
    draw = story.draw
    system = draw(st.sampled_from(SYSTEMS))
    common = {"source_system": system, "source_table": "table"}
    moment = start + timedelta(days=draw(st.sampled_from([-30, 0, 30])))
    story.add("campaign", **common, source_id="{n}-campaign", campaign_name="Spring {n}", **story.known(moment))
    story.add("rep", **common, source_id="{n}-rep", full_name="Rep {n}", email="{n}@own.test", **story.known(moment))
    story.add("account", **common, source_id="{n}-account", account_name="Acme {n}", **story.known(moment))
    story.add(
        "spend",
        **common,
        source_id=story.new_id("d"),
        spend_date=moment.date(),
        platform="google_ads",
        campaign_source_id="{n}-campaign",
        amount="12.34",
        currency_code="EUR",
        clicks=3,
        impressions=100,
        **story.known(moment),
    )
    record = draw(st.sampled_from(story.records))
    story.add(
        "product_event",
        source_system=record[0],
        source_table="usage",
        source_id=story.new_id("p"),
        record_type=record[1],
        record_source_id=record[2],
        event_name="login",
        quantity="1",
        **story.known(moment),
    )


STEPS = [
    *FORWARD_STAGES,
    *FORWARD_STAGES,
    *("mql", "sql", "lost", "disqualified", "recycled", "recycled", "parked", "ignored", "unmapped"),
]


@st.composite
def histories(draw: Draw, policies_: Policies, settings_: Settings, anchor: datetime) -> dict[str, list[Row]]:
    """The rows of one history."""
    story = Story(draw, policies_, settings_, anchor)
    start = _starts(story)
    _add_records(story, start)
    _add_links(story, start)
    moment = start
    moments = []
    for number in range(draw(st.integers(1, 14))):
        moments.append(moment)
        stage = "inquiry" if number == 0 and story.chance(50) else draw(st.sampled_from(STEPS))
        record = draw(st.sampled_from(story.records))
        if story.chance(2):
            record = (record[0], record[1], "{n}-nobody")
        _tell(story, record, stage, moment)
        others = [other for other in story.records if other[0] != record[0]]
        if others and story.chance(45):
            hours = [int(rule["tolerance_hours"]) for rule in policies_["stage_authority"] if rule["stage"] == stage]
            distance = draw(st.sampled_from(hours or [24])) * 3600
            distance += draw(st.sampled_from([-1, 0, 0, 1, 7200, 30 * DAY]))
            later = moment + timedelta(seconds=draw(st.sampled_from([-1, 1, 1, 0])) * distance)
            _tell(story, draw(st.sampled_from(others)), stage, later)
        moment = _later(story, moment, stage)
    _add_touches(story, moments)
    _add_activities(story, moments)
    if story.chance(15):
        _add_shared_device(story, start)
    _add_surroundings(story, start)
    return story.tables


@st.composite
def chains(draw: Draw, policies_: Policies, settings_: Settings, anchor: datetime) -> dict[str, list[Row]]:
    """One person whose records were merged one into the next, up to thirty times, told in any order."""
    story = Story(draw, policies_, settings_, anchor)
    start = _starts(story)
    for number in range(draw(st.integers(2, 31))):
        system = draw(st.sampled_from(SYSTEMS))
        record = (system, "contact", story.new_id("r"))
        is_deleted = story.chance(50)
        story.add(
            "lead_record",
            source_system=system,
            source_table="contact",
            source_id=record[2],
            record_type="contact",
            email=f"alias{number}.{{n}}@acme.test",
            is_deleted=is_deleted,
            is_merged=is_deleted,
            occurred_at=start + timedelta(days=draw(st.integers(0, 60))),
        )
        story.records.append(record)
    order = draw(st.permutations(story.records))
    missing = draw(st.sampled_from([None, None, len(order) // 2]))
    for number, (one, other) in enumerate(itertools.pairwise(order)):
        if number != missing:
            _add_link(story, "merge", one, other, start + timedelta(days=draw(st.sampled_from([0, 61]))))
    moment = start
    for stage in ("inquiry", "mql", "recycled", "sql", "won"):
        _tell(story, draw(st.sampled_from(story.records)), stage, moment)
        moment = _later(story, moment, stage)
    return story.tables


def place(fragments: Sequence[dict[str, list[Row]]]) -> dict[str, list[dict[str, Any]]]:
    """One set of tables out of many histories, each with names of its own."""
    tables: dict[str, list[dict[str, Any]]] = {entity: [] for entity in COLUMNS}
    for number, fragment in enumerate(fragments):
        for entity, rows in fragment.items():
            tables[entity] += [
                {
                    name: cell.replace("{n}", f"h{number}").replace("{N}", f"H{number}")
                    if isinstance(cell, str)
                    else cell
                    for name, cell in found.items()
                }
                for found in rows
            ]
    return tables
