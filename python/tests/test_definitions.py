"""Change control of definitions: which change is caught and which is let through; change log and review calendar."""

import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, RunDbt
from contract_build import Warehouse
from governed import AS_OF, SETTINGS, Governed, changed, leads, month_of, read_seed, shipped, tables, write_seed
from leadlag.cli import main
from leadlag.definitions.lock import Lock, Reason, covered, problems, read, relock, render, unlocked
from leadlag.definitions.state import SEEDS, State, normalised, read_state

OK, FAILED, USAGE = 0, 1, 2
MEASURE = "int_kpi__opportunity_measure"


class Seeds:
    """The shipped project with seeds of its own; what dbt would read from it."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = json.loads(json.dumps(manifest))
        for name in (*SEEDS, "kpi_measure"):
            write_seed(folder / "seeds" / "policy" / f"{name}.csv", shipped(name))
            self.manifest["nodes"][f"seed.leadlag.{name}"]["root_path"] = str(folder)

    def write(self, name: str, rows: list[dict[str, str]]) -> None:
        write_seed(self.folder / "seeds" / "policy" / f"{name}.csv", rows)

    def change(self, name: str, key: dict[str, str], **cells: str) -> None:
        self.write(name, changed(read_seed(self.folder / "seeds" / "policy" / f"{name}.csv"), key, **cells))

    def add(self, name: str, key: dict[str, str], **cells: str) -> None:
        """A copy of a row with other cells."""
        rows = read_seed(self.folder / "seeds" / "policy" / f"{name}.csv")
        (row,) = [row for row in rows if key.items() <= row.items()]
        self.write(name, [*rows, {**row, **cells}])

    def remove(self, name: str, key: dict[str, str]) -> None:
        rows = read_seed(self.folder / "seeds" / "policy" / f"{name}.csv")
        self.write(name, [row for row in rows if not key.items() <= row.items()])

    def edit(self, model: str, old: str, new: str) -> None:
        (node,) = [node for node in self.manifest["nodes"].values() if node["name"] == model]
        assert old in node["raw_code"]
        node["raw_code"] = node["raw_code"].replace(old, new)

    def edit_macro(self, macro: str, old: str, new: str) -> None:
        node = self.manifest["macros"][f"macro.leadlag.{macro}"]
        assert old in node["macro_sql"]
        node["macro_sql"] = node["macro_sql"].replace(old, new)

    def state(self) -> State:
        return read_state(self.manifest, self.folder)


@pytest.fixture(scope="module")
def manifest(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    parsed = run_dbt(["parse"], duckdb_path=tmp_path_factory.mktemp("parse") / "leadlag.duckdb").manifest
    assert parsed is not None
    content: dict[str, Any] = json.loads(json.dumps(parsed.to_dict(omit_none=False), default=str))
    return content


@pytest.fixture
def seeds(tmp_path: Path, manifest: dict[str, Any]) -> Seeds:
    return Seeds(tmp_path, manifest)


def locked(seeds: Seeds) -> Lock:
    lock = relock(Lock(), seeds.state(), ())
    assert read(render(lock), "the lock") == lock
    return lock


KPI = {"kpi": "mql_to_sql_60d_rate", "version": "1"}
CONVERSION = {"conversion_definition": "mql_to_sql_60d", "version": "1"}
VARIANT = {"kpi": "mql_to_sql_60d_rate", "variant": "apac_90_days"}
COMPONENT = {"kpi": "pipeline_velocity", "component_kpi": "days_to_win"}
Change = Callable[[Seeds], None]

CAUGHT: dict[str, tuple[Change, list[str]]] = {
    "measure": (
        lambda seeds: seeds.change("kpi", KPI, numerator_measure="mql_to_sql_30d.converted"),
        [
            "kpi.csv, row mql_to_sql_60d_rate, 1: column numerator_measure: mql_to_sql_60d.converted -> mql_to_sql_30d.converted"
        ],
    ),
    "statistic, with a new text": (
        lambda seeds: seeds.change("kpi", KPI, statistic="ratio", kpi_name="Better"),
        ["kpi.csv, row mql_to_sql_60d_rate, 1: column statistic: rate -> ratio"],
    ),
    "two columns of a retired version": (
        lambda seeds: seeds.change(
            "kpi", KPI, weight_scheme="", valid_from="2001-01-01", status="retired", valid_to="2025-01-01"
        ),
        ["column weight_scheme: strategic_alignment -> (empty); column valid_from: 2000-01-01 -> 2001-01-01"],
    ),
    "exponent": (
        lambda seeds: seeds.change("kpi_component", COMPONENT, exponent="1"),
        ["kpi_component.csv, row pipeline_velocity, 1, days_to_win: column exponent: -1 -> 1"],
    ),
    "component more": (
        lambda seeds: seeds.add("kpi_component", COMPONENT, component_kpi="wins", exponent="1"),
        ["row pipeline_velocity, 1, wins: a new row of a version that counts already (exponent 1)"],
    ),
    "component less": (
        lambda seeds: seeds.remove("kpi_component", COMPONENT),
        ["seed kpi_component, row pipeline_velocity, 1, days_to_win: is gone"],
    ),
    "variant": (
        lambda seeds: seeds.change("kpi_variant", VARIANT, region="EMEA"),
        ["kpi_variant.csv, row mql_to_sql_60d_rate, 1, apac_90_days: column region: APAC -> EMEA"],
    ),
    "window": (
        lambda seeds: seeds.change("conversion_definition", CONVERSION, window_days="45"),
        ["conversion_definition.csv, row mql_to_sql_60d, 1, *, *: column window_days: 60 -> 45"],
    ),
    "policies and milestones": (
        lambda seeds: seeds.change(
            "conversion_definition", CONVERSION, recycled_policy="first_journey", to_milestone="won"
        ),
        ["column to_milestone: sql -> won; column recycled_policy: every_journey -> first_journey"],
    ),
    "scope": (
        lambda seeds: seeds.change("conversion_definition", CONVERSION, scope_region="EMEA"),
        [
            "row mql_to_sql_60d, 1, *, *: is gone",
            "row mql_to_sql_60d, 1, EMEA, *: a new row of a version that counts already",
        ],
    ),
    "kpi removed": (
        lambda seeds: seeds.remove("kpi", {"kpi": "wins"}),
        ["seed kpi, row wins, 1: is gone, and its values with it"],
    ),
    "back to a draft": (
        lambda seeds: seeds.change("kpi", {"kpi": "wins"}, status="draft"),
        ["seed kpi, row wins, 1: is a draft now"],
    ),
    "SQL of a measure": (
        lambda seeds: seeds.edit(MEASURE, "'amount is not null'", "'amount > 0'"),
        [
            f"{MEASURE}.sql, model {MEASURE}: its SQL",
            "without a new version of kpi advertising_spend, kpi average_deal_size",
        ],
    ),
    "SQL far behind": (
        lambda seeds: seeds.edit("int_lifecycle__stage_signal", "select", "select distinct"),
        ["model int_lifecycle__stage_signal: its SQL", "without a new version of attribution_model first_paid"],
    ),
    "share of a position": (
        lambda seeds: seeds.change(
            "attribution_position", {"attribution_model": "w_shaped", "position": "first"}, share="0.4"
        ),
        ["attribution_position.csv, row w_shaped, 1, first: column share: 0.3 -> 0.4"],
    ),
    "lookback of a model": (
        lambda seeds: seeds.change(
            "attribution_model", {"attribution_model": "linear", "milestone": "mql"}, lookback_days="90"
        ),
        ["attribution_model.csv, row linear, 1, mql: column lookback_days: 365 -> 90"],
    ),
    "SQL of credit": (
        lambda seeds: seeds.edit("int_attribution__eligible_touch", "<= 86400", "< 86400"),
        ["model int_attribution__eligible_touch: its SQL", "without a new version of attribution_model first_paid"],
    ),
    "macro": (
        lambda seeds: seeds.edit_macro(
            "is_mature", ">= {{ definition }}.window_days", "> {{ definition }}.window_days"
        ),
        ["macros/policy/maturity.sql, macro is_mature: its SQL"],
    ),
    "macro of another engine": (
        lambda seeds: seeds.edit_macro("spark__double", "double)", "float)"),
        ["macro spark__double: its SQL"],
    ),
}

FREE: dict[str, Change] = {
    "texts": lambda seeds: seeds.change(
        "kpi",
        KPI,
        kpi_name="Other",
        question="?",
        formula="f",
        owner="finance",
        review_date="2030-01-01",
        minimum_volume="5",
    ),
    "texts of a conversion": lambda seeds: seeds.change(
        "conversion_definition", CONVERSION, conversion_name="Other", note="n", owner="finance"
    ),
    "retired": lambda seeds: seeds.change("kpi", KPI, status="retired", valid_to="2026-01-01", successor="none"),
    "new version": lambda seeds: seeds.add("kpi", KPI, version="2", statistic="ratio", valid_from="2026-01-01"),
    "new KPI": lambda seeds: seeds.add("kpi", KPI, kpi="another", statistic="ratio"),
    "draft": lambda seeds: seeds.add("kpi", KPI, version="2", status="draft", statistic="ratio"),
    "new version of a conversion for a region": lambda seeds: seeds.add(
        "conversion_definition", CONVERSION, version="2", scope_region="EMEA", window_days="45"
    ),
    "new variant": lambda seeds: seeds.add("kpi_variant", VARIANT, variant="emea", region="EMEA"),
    "comments and blanks": lambda seeds: seeds.edit(
        MEASURE, "true as is_counted,", "/* as ever */ true  as is_counted , -- counted\n{# a note, it's free #}"
    ),
    "SQL that only checks": lambda seeds: seeds.edit("int_policy__kpi_violation", "union all", "union"),
    "SQL of a connector": lambda seeds: seeds.edit("stg_salesforce__lead", "select", "select distinct"),
}


@pytest.mark.parametrize("kind", CAUGHT)
def test_a_change_without_a_new_version_is_caught_until_a_reason_is_recorded(seeds: Seeds, kind: str) -> None:
    before = locked(seeds)
    change, expected = CAUGHT[kind]
    change(seeds)
    found = problems(before, seeds.state())
    messages = "\n".join(problem.message for problem in found)
    assert all(text in messages for text in expected), messages
    assert len(found) == max(1, len([text for text in expected if "row " in text]))
    # A lock written with reasons covers exactly these changes, also for who compares with the lock before.
    reasons = tuple(Reason("2026-01-05", one.name, one.digest, "because") for one in found)
    after = relock(before, seeds.state(), reasons)
    assert problems(after, seeds.state()) == [] and unlocked(after, seeds.state()) == []
    assert all(covered(problem, after) for problem in problems(before, seeds.state()))
    assert not any(covered(problem, relock(before, seeds.state(), ())) for problem in found)


@pytest.mark.parametrize("kind", FREE)
def test_what_decides_no_number_and_what_is_new_is_free(seeds: Seeds, kind: str) -> None:
    before = locked(seeds)
    FREE[kind](seeds)
    assert problems(before, seeds.state()) == []


def test_sql_may_change_with_new_versions_of_all_it_computes(seeds: Seeds) -> None:
    before = locked(seeds)
    seeds.edit(MEASURE, "'amount is not null'", "'amount > 0'")
    (problem,) = problems(before, seeds.state())
    affected = sorted(name for kind, name in seeds.state().computed[f"model {MEASURE}"] if kind == "kpi")
    # Products are computed with it through their components.
    assert {"won_revenue", "gross_margin", "pipeline_velocity"} <= set(affected)
    assert not {"wins", "qualified_yield"} & set(affected)
    for name in affected:
        assert problem.name in {one.name for one in problems(before, seeds.state())}
        seeds.change("kpi", {"kpi": name, "version": "1"}, valid_to="2026-01-01")
        seeds.add("kpi", {"kpi": name, "version": "1"}, version="2", valid_from="2026-01-01", valid_to="")
    assert problems(before, seeds.state()) == []
    assert f"model {MEASURE}" in unlocked(before, seeds.state())


def test_normalised_keeps_what_is_in_quotes() -> None:
    assert normalised("select  a -- x\n , 'b  c', \"d  e\" {# it's #}/* y */") == "select a , 'b  c' , \"d  e\""
    assert normalised("'it''s  --' ,a") == "'it''s  --' , a"
    assert normalised("'a  b'") != normalised("'a b'")


def test_the_shipped_lock_is_up_to_date(manifest: dict[str, Any]) -> None:
    state, lock = read_state(manifest, ROOT), read((ROOT / "definitions.lock.json").read_text(), "the lock")
    assert problems(lock, state) == [] and unlocked(lock, state) == []
    assert set(SEEDS) == {one.seed for one in lock.definitions.values()}
    assert {"model fct_conversion", "model int_kpi__value", "model fct_journey", "macro is_mature"} <= set(lock.sql)


# --- the command, in a project that installs the package -----------------------------------------------------------


@pytest.fixture(scope="module")
def governed(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> Governed:
    return Governed(run_dbt, tmp_path_factory.mktemp("governed"))


@pytest.fixture
def definitions(
    governed: Governed, tmp_path: Path, profiles_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., int]]:
    """The command line on a consumer's project in a git repository, without the words that say where it is."""
    folder = governed.project_dir
    monkeypatch.setenv("LEADLAG_DUCKDB_PATH", str(tmp_path / "leadlag.duckdb"))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    git(folder, "init", "--quiet", "--initial-branch", "main")

    def call(*words: str) -> int:
        # Parsing takes seconds, and of what it reads only seeds change here, which are read anew each time.
        manifest = tmp_path / "target" / "manifest.json"
        known = ["--manifest", str(manifest)] if manifest.exists() else []
        places = ["--project-dir", str(folder), "--profiles-dir", str(profiles_dir)]
        return main(["definitions", *words, *known, *places])

    yield call
    shutil.rmtree(folder / ".git")


def git(folder: Path, *words: str) -> None:
    author = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", "-C", str(folder), *author, *words], check=True, env=environment, capture_output=True)


def test_a_consumer_locks_its_own_rules(
    governed: Governed, definitions: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, lock = governed.project_dir, governed.project_dir / "definitions.lock.json"
    assert definitions("check") == USAGE
    assert "write it with `leadlag definitions lock`" in capsys.readouterr().err
    assert definitions("lock") == OK
    assert definitions("check") == OK
    git(folder, "add", "seeds", "definitions.lock.json")
    git(folder, "commit", "--quiet", "--message", "rules")

    rows = changed(shipped("kpi"), {"kpi": "sqls_per_mql"}, denominator_measure="inquiry")
    governed.write("kpi", rows)
    capsys.readouterr()
    assert definitions("check") == FAILED
    said = capsys.readouterr().err
    assert "CHANGED seeds/kpi.csv, row sqls_per_mql, 1: column denominator_measure: mql -> inquiry\n" in said
    assert "give the change a new version" in said
    before = lock.read_text()
    assert definitions("lock") == FAILED
    assert lock.read_text() == before

    # A lock written anew by hand passes alone, but not against the one that was reviewed.
    lock.unlink()
    assert definitions("lock") == OK
    assert definitions("check") == OK
    assert definitions("check", "--against", "main") == FAILED
    lock.write_text(before)
    assert definitions("lock", "--reason", "the seed was wrong", "--date", "2026-02-30") == USAGE
    assert definitions("lock", "--reason", "the seed was wrong", "--date", "2026-02-03") == OK
    reasons = json.loads(lock.read_text())["reasons"]
    assert [(one["date"], one["name"], one["reason"]) for one in reasons] == [
        ("2026-02-03", "kpi sqls_per_mql, 1", "the seed was wrong")
    ]
    assert definitions("check", "--against", "main") == OK
    # What was reasoned is that value, not any later one.
    governed.write("kpi", changed(rows, {"kpi": "sqls_per_mql"}, denominator_measure="sal"))
    assert definitions("check") == FAILED
    assert definitions("check", "--against", "no such ref") == FAILED
    governed.write("kpi", rows)
    assert definitions("check", "--against", "no such ref") == USAGE

    # A new version needs a lock, and no reason.
    new = {**next(row for row in rows if row["kpi"] == "wins"), "version": "2", "valid_from": "2026-01-01"}
    governed.write("kpi", [*changed(rows, {"kpi": "wins"}, valid_to="2026-01-01"), new])
    capsys.readouterr()
    assert definitions("check") == FAILED
    assert "is not up to date: kpi wins, 2\n" in capsys.readouterr().err
    assert definitions("lock") == OK
    assert definitions("check", "--against", "main") == OK
    governed.write("kpi", shipped("kpi"))


# --- change log and review calendar --------------------------------------------------------------------------------

CUT = date(2025, 3, 1)
LEADS = leads()


def new_version(row: dict[str, str], **cells: str) -> list[dict[str, str]]:
    """A row ended at CUT, and its second version."""
    return [{**row, "valid_to": str(CUT)}, {**row, "version": "2", "valid_from": str(CUT), **cells}]


@pytest.fixture(scope="module")
def log(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """KPIs in their second versions, one of each kind of change."""
    folder = tmp_path_factory.mktemp("log")
    governed = Governed(run_dbt, folder)
    kpis = []
    for row in shipped("kpi"):
        match row["kpi"]:
            case "mql_to_sql_60d_rate":
                thirty = {
                    "numerator_measure": "mql_to_sql_30d.converted",
                    "denominator_measure": "mql_to_sql_30d.entered",
                }
                kpis += new_version(row, **thirty, owner="finance", review_date="2025-12-30")
            case "qualified_yield":
                kpis += new_version(row)
            case "sqls":
                kpis += new_version(row, status="draft", statistic="sum", review_date="")
            case "wins":
                kpis += new_version(row)
            case "sals":
                kpis += new_version(row, direction="lower", review_date="2025-06-30")
            case "returning_share":
                kpis += [{**row, "status": "retired", "valid_to": str(CUT), "successor": "sqls_per_mql"}]
            case "inquiries":
                kpis += [{**row, "review_date": "2025-06-29"}]
            case "mqls":
                kpis += [{**row, "review_date": "2025-12-31"}]
            case _:
                kpis.append(row)
    governed.write("kpi", kpis)
    components = shipped("kpi_component")
    second = [{**row, "version": "2"} for row in components if row["kpi"] == "qualified_yield"]
    second[-1]["component_kpi"] = "sqls_per_mql"
    governed.write("kpi_component", [*components, *second])
    (variant,) = shipped("kpi_variant")
    sixty = {"numerator_measure": "mql_to_sql_60d.converted", "denominator_measure": "mql_to_sql_60d.entered"}
    governed.write("kpi_variant", [variant, {**variant, **sixty, "version": "2"}])
    # A conversion of the consumer's own, in two versions.
    definitions = []
    for row in shipped("conversion_definition"):
        definitions += (
            new_version(row, window_days="80") if row["conversion_definition"] == "qualified_to_won_90d" else [row]
        )
    governed.write("conversion_definition", definitions)
    project = governed.project_dir / "dbt_project.yml"
    project.write_text(
        project.read_text(encoding="utf-8").replace(
            "      kpi:\n", "      conversion_definition:\n        +enabled: false\n      kpi:\n"
        ),
        encoding="utf-8",
    )
    names = ["kpi_definition_change", "kpi_review", "fct_kpi", "int_kpi__version_effect"]
    return governed.build(folder / "leadlag.duckdb", tables(LEADS), SETTINGS, select=names)


def rates(days: int, last: int = 4, region: str = "") -> list[float]:
    """Share converted within some days, of the last months whose entries are all so old."""
    months: dict[date, list[tuple[bool, bool]]] = {}
    for lead in LEADS:
        if not region or lead.region == region:
            months.setdefault(month_of(lead.mql_at), []).append((lead.converted(days), lead.mature(days)))
    full = [month for month, found in months.items() if all(mature for _, mature in found) and month < month_of(AS_OF)]
    return [statistics.mean(converted for converted, _ in months[month]) for month in sorted(full)[-last:]]


def changes(log: Warehouse, definition: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = [row for row in log.read("kpi_definition_change") if row["definition"] == definition]
    return {(row["scope"], row["changed_column"]): row for row in found}


def test_the_effect_of_a_new_version_is_both_versions_over_the_same_months(log: Warehouse) -> None:
    found = changes(log, "mql_to_sql_60d_rate")
    assert {key: (row["old_value"], row["new_value"], row["is_deciding"]) for key, row in found.items()} == {
        ("global", "numerator_measure"): ("mql_to_sql_60d.converted", "mql_to_sql_30d.converted", True),
        ("global", "denominator_measure"): ("mql_to_sql_60d.entered", "mql_to_sql_30d.entered", True),
        ("global", "owner"): ("revenue_operations", "finance", False),
        ("apac_90_days", "numerator_measure"): ("mql_to_sql_90d.converted", "mql_to_sql_60d.converted", True),
        ("apac_90_days", "denominator_measure"): ("mql_to_sql_90d.entered", "mql_to_sql_60d.entered", True),
    }
    # Months final under the longer window are final under the shorter: the last four of 60 days, each side by its own.
    for scope, before, after, region in (("global", 60, 30, ""), ("apac_90_days", 90, 60, "APAC")):
        row = found[scope, "numerator_measure"]
        months = len(rates(before, 99, region))
        old, new = rates(before, 4, region), rates(after, 99, region)[:months][-4:]
        assert row["months_compared"] == 4 and row["no_effect_reason"] is None
        assert row["mean_before"] == pytest.approx(statistics.mean(old))
        assert row["mean_after"] == pytest.approx(statistics.mean(new))
        assert row["effect"] == pytest.approx(statistics.mean(new) - statistics.mean(old))
        assert abs(row["effect"]) > 0.01
        assert (row["version"], row["previous_version"], row["changed_on"]) == (2, 1, CUT)
    assert found["global", "owner"]["owner"] == "finance"
    # Variants have no owner of their own change here.
    assert found["apac_90_days", "numerator_measure"]["owner"] == "revenue_operations"


def test_products_silent_versions_drafts_and_conversions_in_the_change_log(log: Warehouse) -> None:
    (product,) = changes(log, "qualified_yield").values()
    assert (product["changed_column"], product["old_value"], product["new_value"]) == (
        "components",
        "mql_to_sql_60d_rate, mqls",
        "mqls, sqls_per_mql",
    )
    # MQLs x SQLs per MQL are the SQLs of the month; both are final in a month that is over, the rate is not.
    sqls = [month_of(lead.sql_at) for lead in LEADS if lead.sql_at]
    months = [row["period_start"] for row in log.read("int_kpi__version_effect") if row["kpi"] == "qualified_yield"]
    assert len(months) == 4 and max(months) < month_of(AS_OF)
    assert product["mean_after"] == pytest.approx(statistics.mean(sqls.count(month) for month in months))
    (silent,) = changes(log, "wins").values()
    assert (silent["changed_column"], silent["no_effect_reason"]) == ("(none)", "no column has changed")
    (read_otherwise,) = changes(log, "sals").values()
    assert (read_otherwise["changed_column"], read_otherwise["is_deciding"]) == ("direction", False)
    assert changes(log, "sqls") == {}
    (conversion,) = changes(log, "qualified_to_won_90d").values()
    assert (conversion["scope"], conversion["old_value"], conversion["new_value"]) == ("* x *", "90", "80")
    assert conversion["effect"] is None and "leadlag sandbox" in conversion["no_effect_reason"]


def test_the_change_log_and_the_lock_agree_on_what_decides(log: Warehouse) -> None:
    logged: dict[str, set[str]] = {}
    for row in log.read("int_kpi__definition_column"):
        if row["is_deciding"]:
            logged.setdefault(row["definition_type"], set()).add(row["column_name"])
    # A new version always begins another day, and components are the rows of a seed of their own.
    # Attribution models have a log of their own (attribution_run_history).
    locked_columns = {
        name: set(seed.deciding) - {"valid_from"} for name, seed in SEEDS.items() if "attribution" not in name
    }
    assert locked_columns.pop("kpi_component") == {"exponent"}
    locked_columns["kpi"].add("components")
    assert logged == locked_columns


def test_one_version_of_a_kpi_is_in_force_in_a_period(log: Warehouse) -> None:
    values = [row for row in log.read("fct_kpi") if row["kpi"] in ("mql_to_sql_60d_rate", "qualified_yield")]
    assert {row["version"] for row in values} == {1, 2}
    assert all(row["version"] == (2 if row["period_start"] >= CUT else 1) for row in values)
    keys = [
        (row["kpi"], row["variant"], row["period_grain"], row["period_start"], row["cut_name"], row["cut_value"])
        for row in values
    ]
    assert len(keys) == len(set(keys))


def test_the_review_calendar_says_what_is_due_and_what_follows(log: Warehouse) -> None:
    found = {(row["kpi"], row["version"]): row for row in log.read("kpi_review")}
    states = {
        ("inquiries", 1): ("overdue", -1),
        ("sals", 2): ("due", 0),
        ("mql_to_sql_60d_rate", 2): ("due", 183),
        ("mqls", 1): ("later", 184),
    }
    assert {key: (found[key]["review_state"], found[key]["days_to_review"]) for key in states} == states
    assert (found["sals", 1]["review_state"], found["sals", 1]["successor"]) == ("replaced", "sals")
    retired = found["returning_share", 1]
    assert (retired["review_state"], retired["retired_on"], retired["successor"]) == ("retired", CUT, "sqls_per_mql")
    # A draft is no successor, and is not reviewed.
    assert ("sqls", 2) not in found and found["sqls", 1]["review_state"] == "later"
    assert found["mql_to_sql_60d_rate", 2]["owner"] == "finance"
    assert all(row["successor"] is None for row in found.values() if row["review_state"] in ("overdue", "due", "later"))
