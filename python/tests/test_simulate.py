"""What the simulator promises: same seed same rows, `until` cuts time cleanly, and the truth follows from the rows."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import os
import subprocess
import sys
import zoneinfo
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from leadlag import warehouse
from leadlag.cli import main
from leadlag.simulate import DEFECTS, SCHEMAS, SimulationError, clock, generate, make_settings, run, settings
from leadlag.simulate.arrays import salesforce_id
from leadlag.simulate.hubspot.forms import QUESTION

ROOT = Path(__file__).resolve().parents[2]
POLICY = ROOT / "seeds" / "policy"
Tables = dict[str, pa.Table]


def simulate(leads: int, seed: int, until: str | None, defects: str) -> Tables:
    parts = list(generate(make_settings(leads, seed, until, None, defects)))
    return {name: pa.concat_tables([part[name] for part in parts if name in part]) for name in SCHEMAS}


@cache
def company(leads: int = 1500, seed: int = 3, until: str | None = None, defects: str = "none") -> Tables:
    return simulate(leads, seed, until, defects)


def rows(tables: Tables, name: str) -> list[dict[str, Any]]:
    return tables[name].to_pylist()


@cache
def policy(name: str) -> list[dict[str, str]]:
    with (POLICY / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- a second opinion: the rules of the project applied to raw rows, one person at a time -------------------------

FORWARD = ["inquiry", "mql", "sal", "sql", "opportunity", "won"]
ORDER = {stage: number for number, stage in enumerate([*FORWARD, "lost", "disqualified", "recycled"], 1)}


def email_key(text: str | None) -> str | None:
    if text is None:
        return None
    key = text.strip().lower()
    local, _, domain = key.partition("@")
    if not local or "@" in domain or "." not in domain.strip("."):
        return None
    for rule in policy("shared_mailbox"):
        if {"local_part": local, "domain": domain, "address": key}[rule["match_type"]] == rule["pattern"]:
            return None
    return key


class People:
    """Connected components of lead records."""

    def __init__(self) -> None:
        self.parent: dict[Any, Any] = {}

    def add(self, record: Any) -> None:
        self.parent.setdefault(record, record)

    def find(self, record: Any) -> Any:
        while self.parent[record] != record:
            self.parent[record] = self.parent[self.parent[record]]
            record = self.parent[record]
        return record

    def join(self, one: Any, other: Any) -> None:
        if one in self.parent and other in self.parent:
            self.parent[self.find(one)] = self.find(other)


def records_and_links(tables: Tables) -> tuple[dict[Any, dt.datetime], People]:
    created: dict[Any, dt.datetime] = {}
    links: list[tuple[Any, Any]] = []
    emails: dict[str, Any] = {}
    people = People()

    def record(key: Any, email: str | None, since: dt.datetime) -> None:
        created[key] = since
        people.add(key)
        normal = email_key(email)
        if normal is not None:
            links.append((key, emails.setdefault(normal, key)))

    for lead in rows(tables, "salesforce.lead"):
        key = ("salesforce", "lead", lead["id"])
        if lead["is_deleted"] and lead["master_record_id"] is None:
            continue
        record(key, lead["email"], lead["created_date"])
        if lead["converted_contact_id"]:
            links.append((key, ("salesforce", "contact", lead["converted_contact_id"])))
        if lead["master_record_id"]:
            links.append((key, ("salesforce", "lead", lead["master_record_id"])))
    for contact in rows(tables, "salesforce.contact"):
        record(("salesforce", "contact", contact["id"]), contact["email"], contact["created_date"])
    for contact in rows(tables, "hubspot.contact"):
        key = ("hubspot", "contact", str(contact["id"]))
        record(key, contact["property_email"], contact["property_createdate"])
        for kind in ("lead", "contact"):
            if contact[f"property_salesforce{kind}id"]:
                links.append((key, ("salesforce", kind, contact[f"property_salesforce{kind}id"])))
        for merged in (contact["property_hs_merged_object_ids"] or "").split(";"):
            if merged:
                links.append((key, ("hubspot", "contact", merged)))
    for one, other in links:
        people.join(one, other)
    return created, people


def status_events(tables: Tables) -> list[tuple[Any, str, str, dt.datetime]]:
    stages = {
        (r["source_system"], r["status_field"], r["status_raw"].lower()): r["stage"] for r in policy("status_map")
    }
    events = []
    changes = defaultdict(list)
    for change in rows(tables, "salesforce.lead_history"):
        changes[change["lead_id"]].append(change)
    for lead in rows(tables, "salesforce.lead"):
        history = sorted(changes.get(lead["id"], []), key=lambda change: change["created_date"])
        initial = history[0]["old_value"] if history else lead["status"]
        for status, moment in [(initial, lead["created_date"])] + [
            (c["new_value"], c["created_date"]) for c in history
        ]:
            stage = stages[("salesforce", "status", status.strip().lower())]
            events.append((("salesforce", "lead", lead["id"]), "salesforce", stage, moment))
    for change in rows(tables, "hubspot.contact_property_history"):
        if change["name"] == QUESTION:
            continue
        stage = stages[("hubspot", change["name"], change["value"].strip().lower())]
        events.append((("hubspot", "contact", str(change["contact_id"])), "hubspot", stage, change["timestamp"]))
    return [event for event in events if event[2] != "ignored"]


def qualifies(kind: str | None, probability: float | None, amount: float | None) -> bool:
    given = {"opportunity_type": kind, "probability": probability, "amount": amount}
    for rule in policy("qualified_opportunity_rule"):
        value: Any = given[rule["field"]]
        if value is None:
            passed = rule["passes_when_null"] == "true"
        elif rule["operator"] == "not_in":
            passed = value not in rule["value"].split("|")
        else:
            passed = value >= float(rule["value"]) - 1e-12
        if not passed:
            return False
    return True


def deal_events(tables: Tables) -> list[tuple[Any, str, str, dt.datetime]]:
    flags = {s["api_name"]: (s["is_closed"], s["is_won"]) for s in rows(tables, "salesforce.opportunity_stage")}
    pipeline = {s["stage_id"]: s for s in rows(tables, "hubspot.deal_pipeline_stage")}
    primary = {
        r["opportunity_id"]: ("salesforce", "contact", r["contact_id"])
        for r in rows(tables, "salesforce.opportunity_contact_role")
        if r["is_primary"]
    }
    owner = {r["deal_id"]: ("hubspot", "contact", str(r["contact_id"])) for r in rows(tables, "hubspot.deal_contact")}
    states = defaultdict(list)
    kinds = {o["id"]: o["type"] for o in rows(tables, "salesforce.opportunity")}
    for step in rows(tables, "salesforce.opportunity_history"):
        closed, won = flags[step["stage_name"]]
        good = qualifies(kinds[step["opportunity_id"]], step["probability"] / 100, step["amount"])
        state = "won" if won else "lost" if closed else "opportunity" if good else None
        states[("salesforce", step["opportunity_id"])].append((step["created_date"], state))
    deals = {d["deal_id"]: d for d in rows(tables, "hubspot.deal")}
    for step in rows(tables, "hubspot.deal_stage"):
        stage, deal = pipeline[step["value"]], deals[step["deal_id"]]
        good = qualifies(deal["property_dealtype"], stage["probability"], deal["property_amount"])
        state = "won" if stage["closed_won"] else "lost" if stage["is_closed"] else "opportunity" if good else None
        states[("hubspot", step["deal_id"])].append((step["date_entered"], state))
    events = []
    for (system, deal_id), steps in states.items():
        record = (primary if system == "salesforce" else owner).get(deal_id)
        before = None
        for moment, state in sorted(steps, key=lambda step: step[0]):
            if state is not None and state != before and record is not None:
                events.append((record, system, state, moment))
            before = state
    return events


def journeys_by_rules(tables: Tables) -> tuple[dict[Any, list[dict[str, Any]]], Counter[str]]:
    """Journeys of each component of records, and how many events were corroborating or overruled."""
    created, people = records_and_links(tables)
    gaps = {r["stage"]: int(r["min_gap_days"]) for r in policy("recycle_rule")}
    authority = defaultdict(dict)
    for rule in policy("stage_authority"):
        authority[rule["stage"]][rule["source_system"]] = (int(rule["priority"]), int(rule["tolerance_hours"]))
    since: dict[Any, dict[str, dt.datetime]] = defaultdict(dict)
    for record, moment in created.items():
        systems = since[people.find(record)]
        systems[record[0]] = min(systems.get(record[0], moment), moment)
    events = defaultdict(list)
    for record, system, stage, moment in status_events(tables) + deal_events(tables):
        if record in created:
            events[people.find(record)].append((moment, ORDER[stage], stage, system))

    verdicts: Counter[str] = Counter()
    result = {}
    for person, all_events in events.items():
        effective = []
        for moment, order, stage, system in sorted(all_events):
            rules = authority[stage]
            listed = [
                (priority, name, hours)
                for name, (priority, hours) in rules.items()
                if name in since[person] and since[person][name] <= moment + dt.timedelta(hours=hours)
            ]
            judge, hours = (min(listed)[1], min(listed)[2]) if listed else (system, 0)
            if judge == system:
                effective.append((moment, order, stage))
                verdicts["effective"] += 1
                continue
            times = [m for m, _, s, name in all_events if name == judge and s == stage]
            close = any(abs((m - moment).total_seconds()) <= hours * 3600 for m in times)
            verdicts["corroborating" if close else "overruled"] += 1
        result[person] = walk(effective, gaps)
    return result, verdicts


def walk(effective: list[tuple[dt.datetime, int, str]], gaps: dict[str, int]) -> list[dict[str, Any]]:
    journeys: list[list[tuple[dt.datetime, int, str]]] = []
    for event in effective:
        last = journeys[-1][-1] if journeys else None
        starts = last is None
        if last is not None and event[1] < ORDER["won"] and last[1] >= ORDER["won"] and last[2] in gaps:
            starts = event[0] - last[0] >= dt.timedelta(days=gaps[last[2]])
        if starts:
            journeys.append([])
        journeys[-1].append(event)
    found = []
    for number, steps in enumerate(journeys, 1):
        final = steps[-1]
        journey: dict[str, Any] = {"journey_number": number, "entered_at": steps[0][0]}
        for stage in FORWARD:
            position = next((i for i, step in enumerate(steps) if step[2] == stage), None)
            late = position is not None and any(ORDER[stage] < s[1] <= ORDER["won"] for s in steps[:position])
            journey[f"{stage}_at"] = None if position is None or late else steps[position][0]
        ended = final[1] >= ORDER["won"]
        journey |= {"outcome": final[2] if ended else "open", "ended_at": final[0] if ended else None}
        found.append(journey)
    return found


def compare_with_truth(tables: Tables) -> tuple[int, Counter[str]]:
    """Journeys by the rules equal truth.journey for all persons without planted defects; returns how many were compared."""
    found, verdicts = journeys_by_rules(tables)
    _, people = records_and_links(tables)
    spoiled = {d["person_id"] for d in rows(tables, "truth.defect")}
    person_of = {
        (r["source_system"], r["record_type"], r["source_id"]): r["person_id"] for r in rows(tables, "truth.record")
    }
    by_person: dict[int, list[dict[str, Any]]] = {}
    components = defaultdict(set)
    for record, person in person_of.items():
        components[person].add(people.find(record))
        if person not in spoiled:
            by_person[person] = found.get(people.find(record), [])
    truth = defaultdict(list)
    for journey in rows(tables, "truth.journey"):
        truth[journey.pop("person_id")].append(journey)
    compared = 0
    for person, journeys in by_person.items():
        assert len(components[person]) == 1, f"records of person {person} fall apart"
        assert journeys == sorted(truth[person], key=lambda j: j["journey_number"]), f"person {person}"
        compared += len(journeys)
    whole = {people.find(record) for record, person in person_of.items() if person not in spoiled}
    assert len(whole) == len(by_person), "records of two persons were joined"
    return compared, verdicts


def clean_rows(tables: Tables) -> Tables:
    """Without the rows that the project's quarantine takes out of the two histories."""
    result = dict(tables)
    leads = set(tables["salesforce.lead"].column("id").to_pylist())
    contacts = set(tables["hubspot.contact"].column("id").to_pylist())
    known = {(r["status_field"], r["status_raw"]) for r in policy("status_map")}

    def keep(name: str, test: Any) -> None:
        seen: set[Any] = set()
        kept = []
        for row in rows(tables, name):
            key = row.get("id") or (row["contact_id"], row["name"], row["timestamp"])
            kept.append(test(row) and key not in seen)
            seen.add(key)
        result[name] = tables[name].filter(pa.array(kept))

    keep("salesforce.lead_history", lambda r: r["lead_id"] in leads and ("status", r["new_value"]) in known)
    keep(
        "hubspot.contact_property_history",
        lambda r: (
            r["contact_id"] in contacts
            and (r["name"], r["value"]) in known
            and r["timestamp"] is not None
            and r["timestamp"] < r["_fivetran_synced"] + dt.timedelta(days=1)
        ),
    )
    return result


# --- the truth --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("until", [None, "2023-02-11T13:00:00", "2024-05-17", "2025-03-02T09:30:00"])
def test_truth_follows_from_the_rows_by_the_rules_of_the_project(until: str | None) -> None:
    compared, verdicts = compare_with_truth(company(until=until))
    assert compared > 20
    assert verdicts["overruled"] == 0
    assert verdicts["corroborating"] > 0


@pytest.mark.parametrize("until", [None, "2024-08-20T10:00:00"])
def test_truth_holds_for_persons_without_defects_when_all_defects_are_planted(until: str | None) -> None:
    tables = clean_rows(company(2500, 5, until, "all"))
    compared, verdicts = compare_with_truth(tables)
    assert compared > 500
    assert verdicts["overruled"] > 0


def test_records_of_several_chunks_do_not_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "CHUNK", 350)
    tables = simulate(1500, 3, None, "none")
    keys = {"hubspot.deal": "deal_id", "hubspot.engagement_call": "engagement_id", "web.page_view": "page_view_id"}
    keys |= {
        "web.identify": "identify_id",
        "product.event": "event_id",
        "hubspot.contact_form_submission": "conversion_id",
    }
    for name, schema in SCHEMAS.items():
        key = keys.get(name, "id" if "id" in schema.names else None)
        if key is not None:
            assert pc.count_distinct(tables[name].column(key)).as_py() == len(tables[name]) > 0, name
    compared, verdicts = compare_with_truth(tables)
    assert compared > 1400 and verdicts["overruled"] == 0


def test_every_record_belongs_to_one_true_person_and_every_journey_to_a_person() -> None:
    tables = company(2500, 5, None, "all")
    persons = set(tables["truth.person"].column("person_id").to_pylist())
    owned = Counter((r["source_system"], r["record_type"], r["source_id"]) for r in rows(tables, "truth.record"))
    deleted = {
        ("salesforce", "lead", d["source_id"])
        for d in rows(tables, "truth.defect")
        if d["expected"] == "deleted_in_source"
    }
    expected = {
        (name.split(".")[0], kind, str(identifier))
        for name, kind in (
            ("salesforce.lead", "lead"),
            ("salesforce.contact", "contact"),
            ("hubspot.contact", "contact"),
        )
        for identifier in tables[name].column("id").to_pylist()
    }
    assert set(owned) == expected - deleted
    assert max(owned.values()) == 1
    for name in ("truth.record", "truth.journey", "truth.reentry"):
        assert set(tables[name].column("person_id").to_pylist()) <= persons
    spoiled = [p for p in tables["truth.defect"].column("person_id").to_pylist() if p is not None]
    assert set(spoiled) <= persons


def test_defects_change_nothing_for_the_persons_they_spare() -> None:
    plain, spoiled = company(2500, 5, None, "none"), company(2500, 5, None, "all")
    touched = set(spoiled["truth.defect"].column("person_id").to_pylist())

    def journeys(tables: Tables) -> list[dict[str, Any]]:
        return [j for j in rows(tables, "truth.journey") if j["person_id"] not in touched]

    assert journeys(plain) == journeys(spoiled) != []
    owners = {r["source_id"]: r["person_id"] for r in rows(plain, "truth.record")}
    leads = [[r for r in rows(t, "salesforce.lead") if owners.get(r["id"]) not in touched] for t in (plain, spoiled)]
    deleted = {d["source_id"] for d in rows(spoiled, "truth.defect") if d["defect_class"] == "deleted_record"}
    assert leads[0] == [r for r in leads[1] if r["id"] not in deleted] != []


def test_returns_on_both_sides_of_the_minimum_gap_are_counted() -> None:
    returns = rows(company(6000, 4), "truth.reentry")
    for entry in returns:
        assert entry["gap_seconds"] == (entry["returned_at"] - entry["ended_at"]).total_seconds()
        assert entry["starts_journey"] == (entry["gap_seconds"] >= entry["min_gap_days"] * 86_400)
    kinds = Counter((entry["terminal_stage"], entry["starts_journey"]) for entry in returns)
    assert all(kinds[(stage, starts)] > 3 for stage in ("recycled", "lost") for starts in (True, False))
    on_the_second = {entry["gap_seconds"] - entry["min_gap_days"] * 86_400 for entry in returns}
    assert {0, -1} <= on_the_second


# --- time ---------------------------------------------------------------------------------------------------------

RECORDED = {
    "salesforce.lead_history": "created_date",
    "salesforce.opportunity_history": "created_date",
    "salesforce.opportunity_field_history": "created_date",
    "salesforce.opportunity_contact_role": "created_date",
    "salesforce.contact": "created_date",
    "salesforce.account": "created_date",
    "salesforce.task": "created_date",
    "salesforce.event": "created_date",
    "salesforce.campaign": "created_date",
    "salesforce.campaign_member": "created_date",
    "hubspot.contact_property_history": "timestamp",
    "hubspot.contact_merge_audit": "timestamp",
    "hubspot.contact_form_submission": "timestamp",
    "hubspot.company": "property_createdate",
    "hubspot.deal_property_history": "timestamp",
    "hubspot.email_event": "created",
    "web.page_view": "received_at",
    "web.identify": "received_at",
    "ads.spend_daily": "reported_at",
    "product.event": "received_at",
    "truth.defect": "recorded_at",
}
UNTIL = ["2023-03-01", "2024-06-14T11:00:00", "2025-12-05T08:15:30"]


@pytest.mark.parametrize("until", UNTIL)
def test_rows_known_at_a_time_are_the_rows_recorded_by_then(until: str) -> None:
    moment = pa.scalar(settings.parse_until(until) * 1000, pa.int64()).cast(pa.timestamp("us"))
    everything, known = company(2500, 5, None, "all"), company(2500, 5, until, "all")
    for name, column in RECORDED.items():
        whole = everything[name]
        keep = pc.fill_null(pc.less_equal(whole.column(column), moment), True)
        late = name == "hubspot.contact_property_history"
        if late:
            # Planted rows with a time in the future, or without one, are recorded before it.
            keep = pc.less_equal(pc.coalesce(_planted_history(everything), whole.column(column)), moment)
        assert known[name].equals(whole.filter(keep)), name
        assert 0 < len(known[name]) <= len(whole) or name == "hubspot.contact_merge_audit", name


def _planted_history(tables: Tables) -> pa.Array:
    """When each row of the property history was really recorded, null where that is its timestamp."""
    planted = {d["source_id"]: d["recorded_at"] for d in rows(tables, "truth.defect")}
    result = []
    for row in rows(tables, "hubspot.contact_property_history"):
        stamp = "" if row["timestamp"] is None else int(row["timestamp"].replace(tzinfo=dt.UTC).timestamp()) * 1_000_000
        result.append(planted.get(f"{row['contact_id']}:{row['name']}:{stamp}"))
    return pa.array(result, pa.timestamp("us"))


@pytest.mark.parametrize("until", UNTIL)
def test_mutable_fields_stand_as_the_history_says(until: str) -> None:
    known = clean_rows(company(2500, 5, until, "all"))
    latest: dict[str, str] = {}
    for change in sorted(rows(known, "salesforce.lead_history"), key=lambda c: c["created_date"]):
        latest[change["lead_id"]] = change["new_value"]
    moment = dt.datetime.fromtimestamp(settings.parse_until(until) / 1000, dt.UTC).replace(tzinfo=None)
    for lead in rows(known, "salesforce.lead"):
        assert lead["status"] == latest.get(lead["id"], lead["status"])
        assert lead["is_converted"] == (lead["status"] == "Closed - Converted")
        assert (lead["converted_contact_id"] is not None) == lead["is_converted"]
        assert lead["created_date"] <= lead["last_modified_date"] <= moment
        assert (lead["master_record_id"] is None) or lead["is_deleted"]

    last_step = {s["opportunity_id"]: s for s in sorted(rows(known, "salesforce.opportunity_history"), key=_created)}
    for deal in rows(known, "salesforce.opportunity"):
        if deal["is_deleted"]:
            continue
        step = last_step[deal["id"]]
        for column in ("stage_name", "amount", "probability", "close_date", "forecast_category"):
            assert deal[column] == step[column], column
        assert deal["is_closed"] == deal["stage_name"].startswith("Closed")
        assert deal["is_won"] == (deal["stage_name"] == "Closed Won")
        assert deal["loss_reason_c"] is None or deal["stage_name"] == "Closed Lost"

    current: dict[tuple[int, str], str] = {}
    for change in sorted(rows(known, "hubspot.contact_property_history"), key=lambda c: c["timestamp"]):
        current[(change["contact_id"], change["name"])] = change["value"]
    merged = {a["vid_to_merge"] for a in rows(known, "hubspot.contact_merge_audit")}
    for contact in rows(known, "hubspot.contact"):
        assert contact["property_lifecyclestage"] == current.get((contact["id"], "lifecyclestage"))
        assert contact["property_hs_lead_status"] == current.get((contact["id"], "hs_lead_status"))
        assert contact["_fivetran_deleted"] == (contact["id"] in merged)

    active = {s["deal_id"]: s["value"] for s in rows(known, "hubspot.deal_stage") if s["_fivetran_active"]}
    assert active == {d["deal_id"]: d["deal_pipeline_stage_id"] for d in rows(known, "hubspot.deal")}


def _created(row: dict[str, Any]) -> Any:
    return row["created_date"]


def test_what_never_changes_is_the_same_at_every_time() -> None:
    everything, known = (company(2500, 5, until, "all") for until in (None, UNTIL[1]))
    for name, columns in {
        "salesforce.lead": ["id", "email", "owner_id", "lead_source", "country", "region_c", "gclid_c", "created_date"],
        "salesforce.opportunity": ["id", "account_id", "owner_id", "type", "currency_iso_code", "created_date"],
        "hubspot.contact": ["id", "property_email", "property_hubspot_owner_id", "property_hs_analytics_source"],
        "truth.person": ["person_id", "email", "lead_source", "first_recorded_at"],
    }.items():
        later = {row[columns[0]]: row for row in everything[name].select(columns).to_pylist()}
        for row in known[name].select(columns).to_pylist():
            assert row == later[row[columns[0]]], name


def test_web_times_are_local_to_their_site_and_equal_the_time_of_receipt() -> None:
    offsets = defaultdict(set)
    for view in rows(company(), "web.page_view"):
        viewed = dt.datetime.fromisoformat(view["viewed_at"])
        zone = zoneinfo.ZoneInfo({"eu": "Europe/Berlin", "us": "America/New_York"}[view["site"]])
        assert viewed.utcoffset() == viewed.astimezone(zone).utcoffset()
        received = view["received_at"].replace(tzinfo=dt.UTC)
        assert dt.timedelta(0) < received - viewed < dt.timedelta(seconds=10)
        offsets[view["site"]].add(viewed.utcoffset())
    assert {site: len(found) for site, found in offsets.items()} == {"eu": 2, "us": 2}


@pytest.mark.parametrize("zone", [clock.BERLIN, clock.NEW_YORK, clock.SINGAPORE])
def test_time_zone_rules_agree_with_the_time_zone_database(zone: int) -> None:
    hours = np.arange(
        clock.milliseconds(dt.datetime(2023, 1, 1)), clock.milliseconds(dt.datetime(2027, 1, 1)), 3_600_000
    )
    name = zoneinfo.ZoneInfo(clock.ZONE_NAMES[zone])
    known = [dt.datetime.fromtimestamp(int(h) / 1000, name).utcoffset() for h in hours]
    found = clock.utc_offset(np.full(len(hours), zone), hours)
    assert [offset / dt.timedelta(milliseconds=1) for offset in known if offset is not None] == found.tolist()


# --- same seed, same company --------------------------------------------------------------------------------------


def digest(tables: Tables) -> str:
    """Hash of all values of all tables."""
    result = hashlib.sha256()
    for name in sorted(tables):
        with pa.ipc.new_stream(sink := pa.BufferOutputStream(), tables[name].schema) as writer:
            writer.write_table(tables[name].combine_chunks())
        result.update(sink.getvalue())
    return result.hexdigest()


def test_same_seed_same_bytes_in_another_process() -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; from test_simulate import digest, simulate; "
        "print(digest(simulate(600, 9, None, 'all')))"
    )
    paths = [str(Path(__file__).parent), str(ROOT / "python")]
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}
    other = subprocess.run(
        [sys.executable, "-c", code, *paths], env=environment, check=True, capture_output=True, text=True
    )
    assert other.stdout.strip() == digest(simulate(600, 9, None, "all"))


def test_another_seed_gives_another_company() -> None:
    one, other = company(600, 9), company(600, 10)
    for name in ("salesforce.lead", "hubspot.contact", "web.page_view", "ads.spend_daily", "truth.journey"):
        assert not one[name].equals(other[name]), name


# --- what is in it ------------------------------------------------------------------------------------------------


def test_the_plan_obeys_the_policy_that_the_project_ships() -> None:
    assert {r["stage"]: int(r["stage_order"]) for r in policy("stage")} == settings.STAGES
    gaps = {r["stage"]: int(r["min_gap_days"]) for r in policy("recycle_rule")}
    assert {settings.STAGE_NAMES[stage]: days for stage, days in settings.MIN_GAP_DAYS.items()} == gaps
    tolerances = {int(r["tolerance_hours"]) * 3_600_000 for r in policy("stage_authority")}
    assert tolerances == {settings.AUTHORITY_TOLERANCE}
    authority = {r["stage"]: r["source_system"] for r in policy("stage_authority") if r["priority"] == "1"}
    assert {stage for stage, system in authority.items() if system == "hubspot"} == {"inquiry", "mql"}


def test_every_class_of_defect_is_planted_and_only_those_asked_for() -> None:
    for leads in (500, 2500):
        found = Counter(d["defect_class"] for d in rows(company(leads, 5, None, "all,unmapped_status"), "truth.defect"))
        assert set(found) == set(DEFECTS)
        assert min(found.values()) >= 3, found
    assert "unmapped_status" not in company(2500, 5, None, "all")["truth.defect"].column("defect_class").to_pylist()
    assert len(company(1500, 3)["truth.defect"]) == 0
    few = company(1500, 3, None, "orphan_reference, merge_chain")["truth.defect"]
    assert set(few.column("defect_class").to_pylist()) == {"orphan_reference", "merge_chain"}


def test_planted_defects_are_what_they_are_called() -> None:
    tables = company(2500, 5, None, "all,unmapped_status")
    planted = defaultdict(set)
    for defect in rows(tables, "truth.defect"):
        planted[(defect["expected"], defect["source_table"])].add(defect["source_id"])
    history = {r["id"]: r for r in rows(tables, "salesforce.lead_history")}
    leads = {r["id"] for r in rows(tables, "salesforce.lead")}
    assert all(history[i]["lead_id"] not in leads for i in planted[("orphan_reference", "lead_history")])
    assert all(history[i]["lead_id"] is None for i in planted[("missing_key", "lead_history")])
    assert all(len(history[i]["new_value"]) > 255 for i in planted[("text_too_long", "lead_history")])
    assert all("\ufffd" in history[i]["new_value"] for i in planted[("invalid_text", "lead_history")])
    known = {r["status_raw"] for r in policy("status_map")}
    assert all(history[i]["new_value"] not in known for i in planted[("unmapped_status", "lead_history")])
    views = Counter(r["page_view_id"] for r in rows(tables, "web.page_view"))
    assert {i for i, n in views.items() if n > 1 and i is not None} == planted[("duplicate_row", "page_view")]
    bad = {r["page_view_id"]: r["viewed_at"] for r in rows(tables, "web.page_view")}
    assert all(bad[i] is None for i in planted[("missing_timestamp", "page_view")])
    assert all(bad[i].startswith("2087") for i in planted[("future_timestamp", "page_view")])
    for identifier in planted[("unparseable_timestamp", "page_view")]:
        with duckdb.connect() as connection:
            assert connection.execute("select try_cast(? as timestamptz)", [bad[identifier]]).fetchone() == (None,)
    amounts = {r["id"]: r["amount"] for r in rows(tables, "salesforce.opportunity")}
    assert all(amounts[i] < 0 for i in planted[("negative_amount", "opportunity")])
    backdated = {
        d["source_id"]: d["person_id"] for d in rows(tables, "truth.defect") if d["source_table"] == "opportunity"
    }
    first_inquiry: dict[int, dt.datetime] = {}
    record = {r["source_id"]: r["person_id"] for r in rows(tables, "truth.record")}
    for change in rows(tables, "hubspot.contact_property_history"):
        if change["value"] == "lead" and (owner := record.get(str(change["contact_id"]))) is not None:
            first_inquiry[owner] = min(change["timestamp"], first_inquiry.get(owner, change["timestamp"]))
    won = {
        s["opportunity_id"]: s["created_date"]
        for s in rows(tables, "salesforce.opportunity_history")
        if s["probability"] == 100
    }
    flagged = planted[("flag", "opportunity")]
    assert len(flagged) >= 3
    assert all(won[i] < first_inquiry[backdated[i]] for i in flagged)


def test_sizes_grow_in_proportion_to_the_leads() -> None:
    small, large = company(10_000, 12), company(20_000, 12)
    fixed = {"ads.spend_daily", "ads.campaign", "truth.parameters", "salesforce.campaign", "hubspot.email_campaign"}
    for name, table in large.items():
        if name in fixed:
            assert len(table) == len(small[name]) or name == "truth.parameters"
        elif len(small[name]) > 2000:
            assert 1.85 < len(table) / len(small[name]) < 2.15, name


def test_funnel_touches_and_planted_effects_have_the_intended_size() -> None:
    tables = company(20_000, 12)
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name.replace(".", "_"), table)
        # Entries old enough to have ended.
        connection.execute("""
            create view entry as
            select *, (mql_at is not null)::int as mql, (sql_at is not null)::int as qualified, (won_at is not null)::int as won
            from truth_journey join truth_person using (person_id)
            where journey_number = 1 and entered_at < timestamp '2025-03-01'
        """)

        def ask(sql: str) -> tuple[Any, ...]:
            result = connection.execute(sql).fetchone()
            assert result is not None
            return result

        mql, won = ask("select avg(mql), avg(won) from entry")
        assert 0.50 < mql < 0.62
        assert 0.04 < won < 0.06
        quick, slow = ask("""
            select avg(qualified) filter (sal_at - mql_at < interval 4 hour), avg(qualified) filter (sal_at - mql_at > interval 40 hour)
            from entry
        """)
        assert quick - slow > 0.10
        personal, control = ask("""
            select avg(mql) filter (nurture_variant = 'personalised'), avg(mql) filter (nurture_variant = 'control')
            from entry where kind <> 'sales_only'
        """)
        assert 0.01 < personal - control < 0.08
        referral, purchased = ask("""
            select avg(won) filter (lead_source = 'referral'), avg(won) filter (lead_source = 'purchased_list') from entry
        """)
        assert referral > 2 * purchased
        statuses = ("hubspot_contact_property_history", "salesforce_lead", "salesforce_lead_history")
        touches = (
            "web_page_view",
            "hubspot_email_event",
            "hubspot_contact_form_submission",
            "salesforce_campaign_member",
        )
        for names, low, high in ((statuses, 4, 7), (touches, 10, 14)):
            (count,) = ask("select " + " + ".join(f"(select count(*) from {name})" for name in names))
            assert low < count / 20_000 < high
        assert ask("select count(distinct currency_iso_code) from salesforce_opportunity") == (3,)


def test_click_ids_of_the_crm_are_those_of_the_landing_pages() -> None:
    tables = company()
    landed = set()
    for url in tables["web.page_view"].column("page_url").to_pylist():
        _, found, rest = url.partition("gclid=")
        if found:
            landed.add(rest)
    kept = {lead["gclid_c"] for lead in rows(tables, "salesforce.lead")} - {None}
    assert kept <= landed
    assert len(kept) > 50


def test_salesforce_ids_carry_the_checksum_that_salesforce_computes() -> None:
    """The suffix encodes which letters are capitals: A-Z and 0-5 for the 32 patterns of five characters."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    for identifier in salesforce_id("00Q", np.array([0, 61, 62, 123_456_789, 62**9 - 1])).to_pylist():
        suffix = ""
        for block in (identifier[0:5], identifier[5:10], identifier[10:15]):
            suffix += alphabet[sum(1 << place for place, letter in enumerate(block) if letter.isupper())]
        assert identifier[15:] == suffix


# --- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SIMULATED", str(tmp_path / "raw.duckdb"))
    (tmp_path / "profiles.yml").write_text(
        """
leadlag:
  target: "{{ env_var('WHICH', 'file') }}"
  outputs:
    file: {type: duckdb, path: "{{ env_var('SIMULATED') }}", threads: "{{ env_var('T', '2') | as_number }}"}
    cloud: {type: snowflake}
    cluster: {type: spark, method: thrift, host: spark.example}
    secret: {type: duckdb, path: "{{ env_var('NOT_SET_ANYWHERE') }}"}
"""
    )
    return tmp_path


def test_the_command_writes_what_generate_yields(profiles: Path) -> None:
    assert main(["simulate", "--leads", "600", "--seed", "9", "--quiet"]) == 0
    expected = company(600, 9, None, "all")
    with duckdb.connect(str(profiles / "raw.duckdb"), read_only=True) as connection:
        for name, table in expected.items():
            schema, _, plain = name.partition(".")
            found = connection.execute(f'select * from {schema}."{plain}"').to_arrow_table()
            assert found.schema.equals(table.schema), name
            connection.register("wanted", table)
            (difference,) = connection.execute(
                f'select count(*) from ((from {schema}."{plain}" except all from wanted) '
                f'union all (from wanted except all from {schema}."{plain}"))'
            ).fetchone() or (None,)
            assert difference == 0, name


def test_parquet_holds_the_same_rows(profiles: Path) -> None:
    folder = profiles / "lake"
    for _ in range(2):
        assert main(["simulate", "--leads", "600", "--seed", "9", "--quiet", "--output", str(folder)]) == 0
    for name, table in company(600, 9, None, "all").items():
        assert pq.read_table(folder / f"{name.replace('.', '/')}.parquet").equals(table), name


def test_a_second_run_replaces_the_first_and_a_prefix_leaves_it_alone(profiles: Path) -> None:
    words = ["simulate", "--quiet", "--defects", "none"]
    assert main([*words, "--leads", "600", "--seed", "9"]) == 0
    assert main([*words, "--leads", "300", "--seed", "9"]) == 0
    assert main([*words, "--leads", "500", "--seed", "9", "--schema-prefix", "other_"]) == 0
    with duckdb.connect(str(profiles / "raw.duckdb"), read_only=True) as connection:
        sizes = connection.execute(
            "select (select count(*) from hubspot.contact), (select count(*) from other_hubspot.contact)"
        ).fetchone()
        seeds = connection.execute("select value from truth.parameters where name = 'leads'").fetchall()
    assert sizes == (len(company(300, 9)["hubspot.contact"]), len(company(500, 9)["hubspot.contact"]))
    assert seeds == [("300",)]


def test_tables_that_were_not_simulated_are_never_overwritten(
    profiles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with duckdb.connect(str(profiles / "raw.duckdb")) as connection:
        connection.execute("create schema salesforce; create table salesforce.lead as select 'precious' as id")
    words = ["simulate", "--quiet", "--leads", "20"]
    assert main(words) == 1
    assert "'salesforce'" in capsys.readouterr().err
    with duckdb.connect(str(profiles / "raw.duckdb"), read_only=True) as connection:
        assert connection.execute("select id from salesforce.lead").fetchall() == [("precious",)]
        assert connection.execute("select count(*) from information_schema.tables").fetchone() == (1,)
    assert main([*words, "--force"]) == 0
    (profiles / "mine").mkdir()
    (profiles / "mine" / "notes.txt").write_text("precious")
    assert main([*words, "--output", str(profiles / "mine")]) == 1
    assert [path.name for path in (profiles / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--leads", "3"], 2, "at least 10"),
        (["--seed", "-1"], 2, "0 or more"),
        (["--until", "soon"], 2, "neither a date"),
        (["--until", "2031-01-01"], 2, "2023-01-01 to 2025-12-31"),
        (["--until", "2022-12-31"], 2, "another --start"),
        (["--start", "2024-02-29"], 2, "29 February"),
        (["--defects", "typos"], 2, "merge_chain"),
        (["--defects", "none,orphan_reference"], 2, "cannot be combined"),
        (["--defects", ","], 2, "at least one"),
        (["--target", "nowhere"], 1, "it has: file, cloud, cluster, secret"),
        (["--target", "cloud"], 1, "'snowflake'"),
        (["--target", "cluster"], 1, "--output"),
        (["--target", "secret"], 1, "NOT_SET_ANYWHERE"),
        (["--profile", "other"], 1, "'other'"),
        (["--profiles-dir", "elsewhere"], 1, "profiles.example.yml"),
    ],
)
def test_bad_options_are_refused_with_what_to_do(
    profiles: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, says: str
) -> None:
    assert main(["simulate", "--quiet", *words]) == code
    message = capsys.readouterr().err
    assert says in message
    assert "Traceback" not in message
    assert not (profiles / "raw.duckdb").exists()


def test_the_period_moves_with_its_start() -> None:
    moved = make_settings(100, 1, "2026-06-30", "2023-07-01")
    assert moved.days == 1096
    with pytest.raises(SimulationError, match="2023-07-01 to 2026-06-30"):
        make_settings(100, 1, "2026-07-01", "2023-07-01")


def test_profile_values_keep_their_types(profiles: Path) -> None:
    target = warehouse.find_target()
    assert target.kind == "duckdb"
    assert target.settings["threads"] == 2
    assert target.settings["path"] == str(profiles / "raw.duckdb")
    with warehouse.opened() as connection:
        connection.execute("create table numbers as select 1 as one")
        assert connection.query("select one from numbers").to_dict("list") == {"one": [1]}
        assert connection.tables("main") == {"numbers"}
