"""What the simulator promises: same seed same rows, `until` cuts time cleanly, and the truth follows from the rows."""

from __future__ import annotations

import csv
import datetime as dt
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from leadlag.simulate import SCHEMAS, generate, make_settings

POLICY = Path(__file__).resolve().parents[2] / "seeds" / "policy"
SECOND = dt.timedelta(seconds=1)


@cache
def company(leads: int = 1500, seed: int = 3, until: str | None = None, defects: str = "none") -> dict[str, pa.Table]:
    parts = list(generate(make_settings(leads, seed, until, None, defects)))
    return {name: pa.concat_tables([part[name] for part in parts if name in part]) for name in SCHEMAS}


def rows(tables: dict[str, pa.Table], name: str) -> list[dict[str, Any]]:
    return tables[name].to_pylist()


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


def records_and_links(tables: dict[str, pa.Table]) -> tuple[dict[Any, dt.datetime], People]:
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


def status_events(tables: dict[str, pa.Table]) -> list[tuple[Any, str, str, dt.datetime]]:
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


def deal_events(tables: dict[str, pa.Table]) -> list[tuple[Any, str, str, dt.datetime]]:
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


def journeys_by_rules(tables: dict[str, pa.Table]) -> tuple[dict[Any, list[dict[str, Any]]], Counter[str]]:
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


def compare_with_truth(tables: dict[str, pa.Table]) -> tuple[int, Counter[str]]:
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


def clean_rows(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
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
