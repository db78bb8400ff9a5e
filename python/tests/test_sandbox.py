"""Other rules beside the present ones: what the report says is what both sides count, and the present marts stay as they are."""

import json
import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import ROOT, RunDbt
from governed import AS_OF, SETTINGS, Governed, changed, leads, read_seed, shipped, tables, write_seed
from leadlag.cli import main

EXAMPLE = ROOT / "examples" / "sandbox" / "mql_to_sql_45_days"
OK, FAILED, USAGE = 0, 1, 2
LEADS = leads()
Row = dict[str, Any]


@dataclass
class Champion:
    """A consumer's warehouse as published, and the sandbox command on it."""

    path: Path
    call: Callable[..., int]

    def rows(self, query: str) -> list[Row]:
        with duckdb.connect(self.path, read_only=True) as connection:
            return connection.execute(query).to_arrow_table().to_pylist()

    def content(self) -> dict[str, Any]:
        """Definition and rows of everything outside the sandbox."""
        found: dict[str, Any] = {}
        with duckdb.connect(self.path, read_only=True) as connection:
            relations = connection.execute(
                """select schema_name, table_name, sql, 'table' from duckdb_tables() where schema_name not like '%sandbox%'
                union all
                select schema_name, view_name, sql, 'view' from duckdb_views() where schema_name not like '%sandbox%'
                    and not internal order by 1, 2"""
            ).fetchall()
            for schema, name, sql, kind in relations:
                digest = "select count(*), sum(hash(one)) from"
                rows = (
                    connection.execute(f'{digest} "{schema}"."{name}" as one').fetchone() if kind == "table" else None
                )
                found[f"{schema}.{name}"] = (sql, rows)
        return found


@pytest.fixture(scope="module")
def champion(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory, profiles_dir: Path) -> Champion:
    folder = tmp_path_factory.mktemp("champion")
    governed = Governed(run_dbt, folder)
    path = folder / "leadlag.duckdb"
    names = ["fct_kpi", "kpi_member", "conversion_rate", "dim_kpi", "conversion_cohort"]
    governed.build(path, tables(LEADS), SETTINGS, select=names)
    variables = json.dumps({"as_of": AS_OF.isoformat(sep=" "), "business_timezone": "UTC"})

    def call(seeds: Path, *words: str) -> int:
        places = ["--project-dir", str(governed.project_dir), "--profiles-dir", str(profiles_dir), "--vars", variables]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LEADLAG_DUCKDB_PATH", str(path))
            patch.setenv("LEADLAG_TARGET", "duckdb")
            patch.setenv("DBT_TARGET_PATH", str(folder / "target"))
            return main(["sandbox", "--seeds", str(seeds), *places, *words])

    return Champion(path, call)


@pytest.fixture(scope="module")
def challenger(champion: Champion, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The example, which replaces a seed of the package, and a KPI of the consumer's own counted otherwise."""
    folder = tmp_path_factory.mktemp("challenger")
    shutil.copy(EXAMPLE / "conversion_definition.csv", folder)
    kpis = changed(shipped("kpi"), {"kpi": "sqls"}, version="2", numerator_measure="mql")
    write_seed(folder / "kpi.csv", changed(kpis, {"kpi": "region_completeness"}, status="draft"))
    before = champion.content()
    code = champion.call(folder, "--select", "conversion_cohort")
    return {"code": code, "before": before, "after": champion.content()}


def test_the_example_differs_from_the_shipped_rules_by_one_window() -> None:
    theirs = read_seed(EXAMPLE / "conversion_definition.csv")
    unlike = [(old, new) for old, new in zip(shipped("conversion_definition"), theirs, strict=True) if old != new]
    ((old, new),) = unlike
    assert {name for name in old if old[name] != new[name]} == {"version", "conversion_name", "window_days", "note"}
    assert (old["conversion_definition"], old["window_days"], new["window_days"]) == ("mql_to_sql_60d", "60", "45")


def test_the_present_marts_stay_as_they_are(challenger: dict[str, Any]) -> None:
    assert challenger["code"] == OK
    assert len(challenger["before"]) > 50
    assert challenger["after"] == challenger["before"]


def test_values_and_moves_of_a_conversion_are_those_of_the_journeys(
    champion: Champion, challenger: dict[str, Any]
) -> None:
    assert challenger["code"] == OK
    query = "select * from main_sandbox_marts.sandbox_difference where definition = 'mql_to_sql_60d'"
    (row,) = champion.rows(query)
    old, new = ({lead.source_id for lead in LEADS if lead.mature(days)} for days in (60, 45))
    old_won, new_won = (
        {lead.source_id for lead in LEADS if lead.mature(days) and lead.converted(days)} for days in (60, 45)
    )
    assert old_won - new_won and new_won - old_won and new - old
    for side, version, entered, converted in (("champion", 1, old, old_won), ("challenger", 2, new, new_won)):
        assert row[f"{side}_version"] == version
        assert (row[f"{side}_numerator"], row[f"{side}_denominator"]) == (len(converted), len(entered))
        assert row[f"{side}_value"] == pytest.approx(len(converted) / len(entered))
        low, high = wilson(len(converted), len(entered))
        assert (row[f"{side}_value_low"], row[f"{side}_value_high"]) == (pytest.approx(low), pytest.approx(high))
    assert row["difference"] == pytest.approx(row["challenger_value"] - row["champion_value"])
    assert (row["numerator_in"], row["numerator_out"]) == (len(new_won - old_won), len(old_won - new_won))
    assert (row["denominator_in"], row["denominator_out"]) == (len(new - old), len(old - new))


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The limits as the roots of (p - share)^2 = z^2 p (1 - p) / n."""
    z = statistics.NormalDist().inv_cdf(0.975)
    share, a = part / whole, 1 + z * z / whole
    b = 2 * share + z * z / whole
    root = (b * b - 4 * a * share * share) ** 0.5
    return (b - root) / (2 * a), (b + root) / (2 * a)


def test_counts_of_moves_agree_with_fct_conversion_of_both_sides(
    champion: Champion, challenger: dict[str, Any]
) -> None:
    assert challenger["code"] == OK
    for row in champion.rows(
        "select * from main_sandbox_marts.sandbox_difference where definition_type = 'conversion_definition'"
    ):
        for role in ("numerator", "denominator"):
            old, new = (
                {
                    found["journey_key"]
                    for found in champion.rows(
                        f"select journey_key from {schema}.fct_conversion where in_{role} "
                        f"and conversion_definition = '{row['definition']}'"
                    )
                }
                for schema in ("main_marts", "main_sandbox_marts")
            )
            for direction, keys in (("in", new - old), ("out", old - new)):
                assert row[f"{role}_{direction}"] == len(keys)
                first = ", ".join(sorted(str(key) for key in sorted(keys)[:5]))
                assert (row[f"{role}_{direction}_keys"] or "") == first
        assert row["is_changed"] == (row["definition"] == "mql_to_sql_60d")


def test_kpis_are_compared_where_both_sides_are_final(champion: Champion, challenger: dict[str, Any]) -> None:
    assert challenger["code"] == OK
    found = {
        (row["definition"], row["variant"]): row
        for row in champion.rows("select * from main_sandbox_marts.sandbox_difference where definition_type = 'kpi'")
    }
    # SQLs counted as MQLs in the last quarter that is over.
    row = found["sqls", "global"]
    quarter = (date(2025, 1, 1), date(2025, 4, 1))
    sqls = {one.source_id for one in LEADS if one.sql_at and quarter[0] <= one.sql_at.date() < quarter[1]}
    mqls = {one.source_id for one in LEADS if quarter[0] <= one.mql_at.date() < quarter[1]}
    assert (row["quarter_start"], row["champion_value"], row["challenger_value"]) == (quarter[0], len(sqls), len(mqls))
    assert (row["numerator_in"], row["numerator_out"]) == (len(mqls - sqls), len(sqls - mqls))
    # The rate that the conversion feeds: entries of the quarter are final under 60 days as well as under 45.
    row = found["mql_to_sql_60d_rate", "global"]
    entered = [one for one in LEADS if quarter[0] <= one.mql_at.date() < quarter[1]]
    counts = [sum(one.converted(days) for one in entered) for days in (60, 45)]
    assert [row["champion_numerator"], row["challenger_numerator"]] == counts and row["is_final"]
    assert (row["numerator_out"], row["denominator_in"]) == (counts[0] - counts[1], 0)
    # The product follows its component; what is a draft there has one side; what no rule touches is unchanged.
    assert found["qualified_yield", "global"]["is_changed"]
    assert (
        found["region_completeness", "global"]["champion_version"] == 1
        and found["region_completeness", "global"]["challenger_version"] is None
    )
    assert not found["days_mql_to_sql", "global"]["is_changed"]
    assert {row["definition"] for row in found.values() if row["is_changed"]} == {
        *("sqls", "region_completeness", "mql_to_sql_60d_rate", "qualified_yield")
    }


def test_only_what_differs_is_built(champion: Champion, challenger: dict[str, Any]) -> None:
    assert challenger["code"] == OK
    built = {
        row["table_name"]
        for row in champion.rows(
            "select table_name from information_schema.tables where table_schema like 'main_sandbox%'"
        )
    }
    assert {"fct_conversion", "conversion_cohort", "fct_kpi", "kpi_member", "kpi", "conversion_definition"} <= built
    assert not {"fct_journey", "int_kpi__journey", "int_lifecycle__journey", "kpi_raci"} & built


def test_the_report_of_a_new_run_replaces_the_old_one(
    champion: Champion, challenger: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert challenger["code"] == OK
    rows = changed(shipped("kpi_weight"), {"weight_scheme": "deal_size", "product_line": "*"}, weight="3")
    write_seed(tmp_path / "kpi_weight.csv", rows)
    assert champion.call(tmp_path, "--json") == OK
    said = {(row["definition"], row["variant"]): row for row in json.loads(capsys.readouterr().out)}
    changed_ones = {name for (name, _), row in said.items() if row["is_changed"]}
    assert changed_ones == {"inquiries", "mqls", "sqls"}
    row = said["mqls", "global"]
    assert row["challenger_weighted_value"] == pytest.approx(3 * row["champion_weighted_value"])
    assert row["challenger_value"] == row["champion_value"] and row["quarter_start"] == "2025-01-01"
    schemas = champion.rows(
        "select distinct table_name from information_schema.tables where table_schema = 'main_sandbox_policy'"
    )
    assert [row["table_name"] for row in schemas] == ["kpi_weight"]


@pytest.mark.parametrize(
    ("name", "rows", "code", "message"),
    [
        ("kpi_waight", [{"kpi": "x"}], USAGE, "replaces no seed"),
        ("kpi_cut", [{"kpi": "x"}], USAGE, "must have the columns of the seed it replaces: kpi, cut, second_cut"),
        (
            "conversion_definition",
            changed(shipped("conversion_definition"), {"conversion_definition": "mql_to_won"}, recycled_policy="never"),
            FAILED,
            "the present marts are as they were",
        ),
    ],
    ids=["no such seed", "other columns", "a rule that is refused"],
)
def test_what_cannot_be_built_is_refused_and_changes_nothing(
    champion: Champion,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    rows: list[dict[str, str]],
    code: int,
    message: str,
) -> None:
    write_seed(tmp_path / f"{name}.csv", rows)
    before = champion.content()
    assert champion.call(tmp_path) == code
    said = capsys.readouterr().err
    assert message in said
    assert code == USAGE or "an unknown time_basis, recycled_policy or skipped_policy" in said
    assert champion.content() == before


@pytest.mark.long
def test_a_profile_that_would_build_over_the_present_marts_is_refused(
    champion: Champion, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = {"type": "duckdb", "path": str(champion.path), "schema": "main"}
    profile = {"leadlag": {"target": "duckdb", "outputs": {"duckdb": output}}}
    (tmp_path / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    before = champion.content()
    assert champion.call(EXAMPLE, "--profiles-dir", str(tmp_path)) == USAGE
    said = capsys.readouterr().err
    assert "the sandbox would write to" in said and "must follow LEADLAG_SCHEMA" in said
    assert champion.content() == before
