"""Bad rules stop the run with one error before anything is built; bad rows go to quarantine with their reason."""

import csv
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import DbtRun, RunDbt
from contract_build import SHIPPED_POLICIES, ContractBuild, Warehouse, load_raw
from oracle import Settings

DAY = datetime(2024, 3, 1, 9, 0, 0)
Row = dict[str, Any]


def record(source_id: str | None, **changes: Any) -> Row:
    """A sound Salesforce lead, changed as told."""
    row: Row = {
        "source_system": "salesforce",
        "source_table": "lead",
        "source_id": source_id,
        "record_type": "lead",
        "email": f"{source_id}@acme.io",
        "occurred_at": DAY,
        "occurred_at_raw": DAY.isoformat(),
        "recorded_at": DAY,
    }
    return {**row, **changes}


def status(source_id: str | None, record_id: str, status_raw: str, days: float = 0, **changes: Any) -> Row:
    """A sound status of a Salesforce lead, `days` after DAY, changed as told."""
    when = DAY + timedelta(days=days)
    row: Row = {
        "source_system": "salesforce",
        "source_table": "lead_history",
        "source_id": source_id,
        "record_type": "lead",
        "record_source_id": record_id,
        "status_field": "status",
        "status_raw": status_raw,
        "occurred_at": when,
        "occurred_at_raw": when.isoformat(),
        "recorded_at": when,
    }
    return {**row, **changes}


def touch(source_id: str, **changes: Any) -> Row:
    """A sound touchpoint, changed as told."""
    row: Row = {"source_system": "web", "source_table": "page_view", "source_id": source_id, "occurred_at": DAY}
    return {**row, **changes}


@pytest.fixture(scope="module")
def project(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> ContractBuild:
    return ContractBuild(run_dbt, tmp_path_factory.mktemp("bad_input"))


MARTS = ("dim_person", "fct_conversion", "fct_opportunity", "quarantine")
SETTINGS = Settings(as_of=None, business_timezone="Europe/Berlin")


def quarantined(
    project: ContractBuild, warehouse: Path, tables: Mapping[str, list[Row]]
) -> list[tuple[str, str, str, str]]:
    """(entity, source_id, rule, column) of every quarantine row; an empty key is ''."""
    built = project.build(warehouse, tables, SETTINGS, select=["quarantine", "fct_conversion"])
    return sorted(
        (row["entity"], row["source_id"] or "", row["quarantine_rule"], row["quarantine_column"])
        for row in built.read("quarantine")
    )


def test_each_bad_row_is_quarantined_with_its_reason(project: ContractBuild, warehouse: Path) -> None:
    long_id = "x" * 300
    loaded = DAY + timedelta(days=2)
    tables = {
        "lead_record": [
            record("L1"),
            record(None),
            record("   "),
            record(long_id),
            record("L\ufffd"),
            record("L4", occurred_at=None, occurred_at_raw="31/31/2024"),
            record("L5", occurred_at=None, occurred_at_raw=None, recorded_at=None),
            record("L6", occurred_at=loaded + timedelta(hours=24, seconds=1), recorded_at=None, loaded_at=loaded),
            record("L7", is_deleted=True),
            # Sound: late by less than the tolerance; deleted because merged into another.
            record("L8", occurred_at=loaded + timedelta(hours=24), recorded_at=None, loaded_at=loaded),
            record("L9", is_deleted=True, is_merged=True),
        ],
        "status_event": [
            status("S1", "L1", "Open"),
            status("S2", "L1", "Qualified", 1),
            # As a history-mode loader repeats it.
            status("S2", "L1", "Qualified", 1, loaded_at=loaded),
            status("S3", "L1", "Never heard of", 2),
            status("S4", "L7", "Open"),
            status("S5", "no such lead", "Open"),
            status(None, "L1", "Open"),
        ],
        "opportunity": [
            {"source_system": "salesforce", "source_id": "O1", "occurred_at": DAY, "amount": -5},
            {"source_system": "salesforce", "source_id": "O2", "occurred_at": DAY, "is_deleted": True},
        ],
        "spend": [
            {
                "source_system": "ads",
                "source_table": "spend_daily",
                "source_id": "P1",
                "occurred_at": DAY,
                "spend_date": DAY.date(),
                "amount": -5,
            },
            # Kept: what it costs is unknown, and attribution counts it as such.
            {
                "source_system": "ads",
                "source_table": "spend_daily",
                "source_id": "P2",
                "occurred_at": DAY,
                "spend_date": DAY.date(),
                "amount": None,
            },
        ],
        "opportunity_stage_event": [
            {
                "source_system": "salesforce",
                "source_table": "opportunity_history",
                "source_id": "H1",
                "opportunity_source_id": "O2",
                "occurred_at": DAY,
            },
        ],
    }
    assert quarantined(project, warehouse, tables) == sorted(
        [
            ("lead_record", "", "missing_key", "source_id"),
            ("lead_record", "   ", "missing_key", "source_id"),
            ("lead_record", long_id, "text_too_long", "source_id"),
            ("lead_record", "L\ufffd", "invalid_text", "source_id"),
            ("lead_record", "L4", "unparseable_timestamp", "occurred_at"),
            ("lead_record", "L5", "missing_timestamp", "occurred_at"),
            ("lead_record", "L6", "future_timestamp", "occurred_at"),
            ("lead_record", "L7", "deleted_in_source", "is_deleted"),
            ("status_event", "S2", "duplicate_row", "source_id"),
            ("status_event", "S3", "unmapped_status", "status_raw"),
            ("status_event", "S4", "orphan_reference", "record_source_id"),
            ("status_event", "S5", "orphan_reference", "record_source_id"),
            ("status_event", "", "missing_key", "source_id"),
            ("opportunity", "O1", "negative_amount", "amount"),
            ("spend", "P1", "negative_amount", "amount"),
            ("opportunity", "O2", "deleted_in_source", "is_deleted"),
            ("opportunity_stage_event", "H1", "orphan_reference", "opportunity_source_id"),
        ]
    )


def test_what_a_url_says_is_judged_and_what_is_delivered_beside_it_wins(
    project: ContractBuild, warehouse: Path
) -> None:
    page = "https://a.example/p?utm_source="
    own = {"utm_source": "Own", "click_id_type": "own", "referrer_domain": "a.example", "landing_path": "/own"}
    tables = {
        # The system of record has delivered up to the last touch.
        "lead_record": [record("L1", recorded_at=DAY + timedelta(days=1))],
        "touchpoint": [
            touch("T1", page_url=page + "x" * 300),
            touch("T2", page_url=page + "a%EF%BF%BDb"),
            touch("T3", page_url=page + "x&utm_medium=" + "x" * 300),
            touch("T4", utm_medium="\ufffd", page_url=page + "x&utm_medium=cpc"),
            # Sound: 120 characters once decoded; a long URL; a long part that does not count.
            touch("T5", page_url=page + "%41" * 120),
            touch("T6", page_url=page + "x&y=" + "y" * 300),
            touch("T7", page_url=page + "x" * 300 + "&utm_medium=CPC&gclid=G", referrer_url="https://b.example", **own),
            # Repeated: the row known first stays, with its own URL.
            touch("T8", page_url=page + "second", recorded_at=DAY + timedelta(days=1)),
            touch("T8", page_url=page + "first"),
        ],
    }
    assert quarantined(project, warehouse, tables) == [
        ("touchpoint", "T1", "text_too_long", "utm_source"),
        ("touchpoint", "T2", "invalid_text", "utm_source"),
        ("touchpoint", "T3", "text_too_long", "utm_medium"),
        ("touchpoint", "T4", "invalid_text", "utm_medium"),
        ("touchpoint", "T8", "duplicate_row", "source_id"),
    ]
    built = Warehouse(warehouse)
    accepted = {
        row["source_id"]: row for row in built.read("int_input__touchpoint_checked") if not row["quarantine_rule"]
    }
    assert {key: row["utm_source"] for key, row in accepted.items()} == {
        "T5": "a" * 120,
        "T6": "x",
        "T7": "Own",
        "T8": "first",
    }
    parts = {"utm_medium": "cpc", "click_id": "G"}
    assert {name: accepted["T7"][name] for name in [*own, *parts]} == own | parts


def test_every_quarantine_rule_says_what_to_do(project: ContractBuild, warehouse: Path) -> None:
    built = project.build(warehouse, {"lead_record": [record("L1"), record(None)]}, SETTINGS, select=["quarantine"])
    (row,) = built.read("quarantine")
    assert row["rule_meaning"] and row["remedy"]


def test_an_empty_source_gives_empty_marts(project: ContractBuild, warehouse: Path) -> None:
    built = project.build(warehouse, {}, SETTINGS, select=MARTS)
    assert built.read("fct_journey") == [] and built.read("fct_conversion") == [] and built.read("quarantine") == []
    assert [row["as_of"] for row in built.read("int_input__clock")] == [datetime(1970, 1, 1)]


def test_one_row_is_one_person_without_a_journey(project: ContractBuild, warehouse: Path) -> None:
    built = project.build(warehouse, {"lead_record": [record("L1")]}, SETTINGS, select=MARTS)
    (person,) = built.read("dim_person")
    assert (person["journey_count"], person["lead_record_count"], person["is_customer"]) == (0, 1, False)
    assert built.read("fct_journey") == []


def test_a_half_loaded_history_keeps_the_rest_right(project: ContractBuild, warehouse: Path) -> None:
    """Opportunities without their stage history: they are kept, and claim no stage."""
    tables = {
        "lead_record": [record("L1")],
        "status_event": [status("S1", "L1", "Open"), status("S2", "L1", "Qualified", 3)],
        "opportunity": [
            {
                "source_system": "salesforce",
                "source_id": "O1",
                "record_type": "lead",
                "record_source_id": "L1",
                "occurred_at": DAY + timedelta(days=2),
                "is_closed": True,
                "is_won": True,
            }
        ],
    }
    built = project.build(warehouse, tables, SETTINGS, select=MARTS)
    (journey,) = built.read("fct_journey")
    assert (journey["outcome"], journey["sql_at"], journey["won_at"]) == ("open", DAY + timedelta(days=3), None)
    (opportunity,) = built.read("fct_opportunity")
    assert opportunity["is_won"] and opportunity["won_at"] is None


def nothing_built(warehouse: Path) -> None:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        built = connection.execute(
            """select table_name from information_schema.tables
            where table_type = 'BASE TABLE'
            -- The history of the rules also keeps those that were refused; tables of the companion and of builds are there before anything.
            and table_schema not in ('raw', 'main_policy', 'main_snapshots', 'main_audit', 'main_prediction', 'main_build')
            and table_name <> 'int_policy__violation'"""
        ).fetchall()
    assert built == []


def stopping_message(run: DbtRun) -> str:
    """The one message of all nodes that failed by themselves."""
    errors = [message for name, message in run.messages.items() if run.status.get(name) in (None, "error")]
    assert len(errors) == 1, run.messages
    return errors[0]


def test_rules_that_contradict_stop_the_run_with_one_error(
    run_dbt: RunDbt, project: ContractBuild, warehouse: Path
) -> None:
    """One message names file, row, rule and remedy of each."""
    policies: dict[str, list[dict[str, str]]] = {}
    for path in SHIPPED_POLICIES.glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            policies[path.stem] = list(csv.DictReader(file))
    definitions = {row["conversion_definition"]: row for row in policies["conversion_definition"]}
    policies["conversion_definition"].append({**definitions["mql_to_won"], "version": "2"})
    definitions["inquiry_to_mql_30d"]["window_days"] = "0"
    definitions["mql_to_sal_30d"].update(from_milestone="won", to_milestone="mql")
    policies["conversion_definition"].append(
        {**definitions["inquiry_to_won"], "recycled_policy": "last_journey", "scope_region": "APAC"}
    )
    policies["status_map"][0]["stage"] = "won"
    policies["status_map"].append({**policies["status_map"][3], "status_raw": "WORKING ", "stage": "sql"})
    policies["recycle_rule"][0]["min_gap_days"] = "-1"
    policies["stage_authority"][1]["priority"] = "1"
    policies["qualified_opportunity_rule"][0]["operator"] = "at_least"
    policies["shared_mailbox"][0]["match_type"] = "regex"
    project.write_policies(policies)
    load_raw(warehouse, {"lead_record": [record("L1")], "status_event": [status("S1", "L1", "Working")]})
    run = run_dbt(
        ["build", "--exclude-resource-type", "test", "unit_test"],
        duckdb_path=warehouse,
        project_dir=project.project_dir,
        variables={"own_policies": True},
        may_fail=True,
    )
    message = stopping_message(run)
    assert "nothing was built" in message
    for line in (
        "conversion_definition.csv, row [inquiry_to_mql_30d, 1, *, *, window, 0]: basis and window_days contradict",
        "basis window needs window_days of 1 or more",
        "conversion_definition.csv, row [mql_to_won, versions 1 and 2]: two versions are valid at the same time",
        "conversion_definition.csv, row [inquiry_to_won]: rows of one definition have different recycled policies",
        "conversion_definition.csv, row [mql_to_sal_30d, 1]: mql does not come after won. Exchange",
        "status_map.csv, row [salesforce, status, Open - Not Contacted, won]: not a stage that a status can mean",
        "status_map.csv, row [salesforce, status, working]: 2 rows for the same",
        "recycle_rule.csv, row [recycled, -1]: the minimum gap is empty or negative. Write whole days",
        "stage_authority.csv, row [inquiry, 1]: 2 rows for the same stage and priority. Keep one",
        "qualified_opportunity_rule.csv, row [1, opportunity_type, at_least, ",
        "shared_mailbox.csv, row [regex, info]: an unknown match_type",
    ):
        assert line in message
    nothing_built(warehouse)


def test_a_status_without_mapping_stops_the_run(run_dbt: RunDbt, project: ContractBuild, warehouse: Path) -> None:
    load_raw(warehouse, {"lead_record": [record("L1")], "status_event": [status("S1", "L1", "Dreaming")]})
    run = run_dbt(
        ["build", "--exclude-resource-type", "test", "unit_test"],
        duckdb_path=warehouse,
        project_dir=project.project_dir,
        variables={"unmapped_status": "error"},
        may_fail=True,
    )
    message = stopping_message(run)
    for part in ("status_map.csv", "salesforce, status, Dreaming", "Add the row"):
        assert part in message
    nothing_built(warehouse)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"connectors": [], "business_timezone": "Europe/Atlantis"}, ["business_timezone", "Europe/Atlantis", "IANA"]),
        ({"connectors": ["siebel"]}, ["connectors", "siebel", "contract_relations"]),
        ({"connectors": [], "confidence_level": 0.5}, ["confidence_level", "0.5"]),
        (
            {},
            ["required table 'lead' not found in schema 'salesforce'", "'contact'", "hubspot_schema"],
        ),
    ],
    ids=["time_zone", "connector", "confidence_level", "missing_required_tables"],
)
def test_a_setting_that_cannot_work_stops_the_run(
    run_dbt: RunDbt, warehouse: Path, variables: dict[str, Any], says: list[str]
) -> None:
    duckdb.connect(str(warehouse)).close()
    # Settings are the first thing that a run checks, whichever were parsed.
    parsed = run_dbt(["parse"], duckdb_path=warehouse, variables={"connectors": []} if variables else {}).manifest
    run = run_dbt(["build"], duckdb_path=warehouse, variables=variables, manifest=parsed, may_fail=True)
    assert not run.success
    message = "\n".join(run.messages.values())
    for part in says:
        assert part in message
    nothing_built(warehouse)


def test_times_of_two_zones_are_one_clock(project: ContractBuild, warehouse: Path) -> None:
    """occurred_at is UTC: an offset written in the raw text has been applied by the connector, and dates are business days."""
    late_evening = datetime(2024, 3, 31, 22, 30, tzinfo=UTC).replace(tzinfo=None)
    built = project.build(
        warehouse,
        {
            "lead_record": [record("L1", occurred_at=late_evening, recorded_at=late_evening)],
            "status_event": [
                status("S1", "L1", "Open", occurred_at=late_evening, recorded_at=late_evening),
            ],
        },
        SETTINGS,
        select=MARTS,
    )
    (journey,) = built.read("fct_journey")
    assert str(journey["entered_date"]) == "2024-04-01"


# What each insertion into a rule table must be told, in the order of int_policy__violation.
BROKEN_RULES = {
    "insert into utm_taxonomy values ('CPC', '.*', '.*', 'nobody')": "utm_taxonomy.csv, row [CPC, .*, .*, nobody]: a cell is empty, or",
    "insert into utm_taxonomy values ('cpc', '.*', '.*', 'nobody')": "utm_taxonomy.csv, row [cpc]: 2 rows for the same utm_medium",
    "delete from utm_taxonomy where utm_medium = '*'": "utm_taxonomy.csv, row [*]: no row says what counts for an unknown medium",
    "insert into utm_alias values ('utm_term', 'a', 'b')": "utm_alias.csv, row [utm_term, a, b]: an unknown parameter",
    "insert into utm_alias values ('utm_source', 'Goog', 'google')": "utm_alias.csv, row [utm_source, Goog, google]: an unknown parameter",
    "insert into utm_alias values ('utm_source', 'meta', 'fb')": "utm_alias.csv, row [utm_source, meta, fb]: the standard value is an",
    "insert into utm_alias values ('utm_medium', 'tv', 'television')": "utm_alias.csv, row [utm_medium, tv, television]: the standard",
    "insert into utm_alias values ('utm_medium', 'event', 'paid_social')": "utm_alias.csv, row [utm_medium, event, paid_social]: the",
    "insert into utm_alias values ('utm_medium', 'ppc', 'display')": "utm_alias.csv, row [utm_medium, ppc]: 2 rows for the same",
    "insert into traffic_rule values (1, '*', '*', '*', 'bot', null)": "traffic_rule.csv, row [1, *, *, *, bot]: no rule_order, an unknown",
    "insert into traffic_rule values (500, 'x', '*', '*', 'robot', null)": "traffic_rule.csv, row [500, x, *, *, robot]: no rule_order, an",
    "update attribution_model set method = 'guess' where attribution_model = 'linear' and milestone = 'mql'": (
        "attribution_model.csv, row [linear, 1, mql, guess, all, active]: no name, or an unknown milestone, method"
    ),
    "update attribution_model set half_life_days = 0 where attribution_model = 'time_decay' and milestone = 'won'": (
        "attribution_model.csv, row [time_decay, 1, won, 365, 0.000000, (empty)]: a number that the method needs is missing"
    ),
    "update attribution_model set is_reference = true where attribution_model = 'linear' and milestone = 'won'": (
        "attribution_model.csv, row [won]: not exactly one active model of the milestone is the reference"
    ),
    "update attribution_position set share = 0.3 where attribution_model = 'u_shaped' and position = 'first'": (
        "attribution_position.csv, row [u_shaped, 1]: the shares of the model do not add up to 1"
    ),
    "update attribution_position set position = 'middle' where attribution_model = 'linear'": (
        "attribution_position.csv, row [linear, 1, middle, 1.000000]: an unknown position, or no positive share"
    ),
    "update attribution_channel_weight set weight = -1 where channel = '*'": (
        "attribution_channel_weight.csv, row [house_weight, 1, *, -1.000000]: an unknown channel, or no weight"
    ),
    "insert into ad_platform values ('tv', 'television', null)": "ad_platform.csv, row [tv, television]: no platform, or an unknown",
    "insert into lift_rule values ('x', 1, 'weather', 7, 'won', 90, 50, 10, 0.01, 0.5, 0.25, 'active', null, null)": (
        "lift_rule.csv, row [x, 1, weather, won, active]: no name, or an unknown treatment, milestone or status"
    ),
    "update lift_rule set propensity_bound = 0.5 where lift_rule = 'win_week_2'": (
        "lift_rule.csv, row [win_week_2, 14, 180, 50, 10, 0.500000, 0.500000, 0.250000]: a number is missing or out of range"
    ),
    "update channel_budget_rule set bound_share = 1": "channel_budget_rule.csv, row [4, 0.240000, 0.120000, 1.000000]: a number is",
    "insert into channel_experiment (channel, ended_on, spend_change) values ('paid_search', '2024-05-01', 0)": (
        "channel_experiment.csv, row [paid_search, 2024-05-01, 0.00, (empty), (empty)]: an unknown channel, or a result without"
    ),
}


def test_rules_of_tracking_and_attribution_that_cannot_work_stop_the_run(
    project: ContractBuild, run_dbt: RunDbt, warehouse: Path
) -> None:
    load_raw(warehouse, {})
    where = {"duckdb_path": warehouse, "project_dir": project.project_dir}
    statements = list(BROKEN_RULES)
    # No more than twenty are named at once.
    for batch in (statements[:20], statements[20:]):
        run_dbt(["seed"], **where)
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("use main_policy")
            for statement in batch:
                connection.execute(statement)
        run = run_dbt(["run", "--select", "+int_policy__violation"], may_fail=True, **where)
        message = run.messages["int_policy__violation"]
        assert [BROKEN_RULES[one] for one in batch if BROKEN_RULES[one] not in message] == [], message
        assert message.count("- seeds/policy/") == len(batch), message
