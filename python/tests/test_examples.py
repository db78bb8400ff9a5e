"""Known answers on real files: the two example projects give the figures that others published or counted."""

import csv
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from conftest import GROUND_ONLY, ROOT, InstallPackages, RunDbt
from leadlag.calibrate.judge import JOURNEY, RAW_JOURNEY, Record
from leadlag.calibrate.quality import metrics
from leadlag.forecast.journeys import events_of


def build(
    name: str, folder: Path, run_dbt: RunDbt, install_packages: InstallPackages, shared_data: Path, *flags: str
) -> duckdb.DuckDBPyConnection:
    path = folder / "leadlag.duckdb"
    project_dir = ROOT / "examples" / name
    install_packages(project_dir)
    run = run_dbt(
        ["build", "--exclude-resource-type", "unit_test", "snapshot", *flags],
        duckdb_path=path,
        project_dir=project_dir,
        environment={"LEADLAG_SHARED_DATA": str(shared_data)},
    )
    assert "error" not in run.status.values()
    connection = duckdb.connect(str(path), read_only=True)
    connection.execute("set search_path = 'main_marts,main_intermediate'")
    return connection


@pytest.fixture(scope="module")
def olist(
    tmp_path_factory: pytest.TempPathFactory, run_dbt: RunDbt, install_packages: InstallPackages, shared_data: Path
) -> Iterator[duckdb.DuckDBPyConnection]:
    with build("olist", tmp_path_factory.mktemp("olist"), run_dbt, install_packages, shared_data) as connection:
        yield connection


@pytest.fixture(scope="module")
def bpi2012(
    tmp_path_factory: pytest.TempPathFactory, run_dbt: RunDbt, install_packages: InstallPackages, shared_data: Path
) -> Iterator[duckdb.DuckDBPyConnection]:
    # One of the two whole is enough.
    place = tmp_path_factory.mktemp("bpi2012")
    with build("bpi2012", place, run_dbt, install_packages, shared_data, *GROUND_ONLY) as connection:
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def test_olist_by_origin_as_published(olist: duckdb.DuckDBPyConnection, shared_data: Path) -> None:
    """NULL stays apart from unknown. The published mean days count the one negative time, ours does not count it."""
    with (shared_data / "olist_funnel" / "published_marketing_performance.csv").open(encoding="utf-8") as file:
        published = {
            line["origin"]: (int(line["total_leads"]), int(line["won_deals"]), float(line["conv_rate_pct"]))
            for line in csv.DictReader(file)
        }
    computed = {
        (origin or "NULL"): (leads, won, round(100 * won / leads, 2))
        for origin, leads, won in rows(
            olist,
            """select lead_source, count(*) filter (in_denominator), count(*) filter (in_numerator)
            from fct_conversion where conversion_definition = 'mql_to_won' group by lead_source""",
        )
    }
    assert computed == published


def test_olist_rates_come_from_the_same_rows(olist: duckdb.DuckDBPyConnection) -> None:
    overall = rows(
        olist,
        """select denominator, numerator, round(100 * rate, 3) from conversion_rate
        where conversion_definition = 'mql_to_won' and period_grain = 'total' and cut_name = 'total'""",
    )
    assert overall == [(8000, 842, 10.525)]
    not_recorded = rows(
        olist,
        """select cut_value, denominator, numerator from conversion_rate
        where conversion_definition = 'mql_to_won' and period_grain = 'total' and cut_name = 'lead_source'
        and cut_value in ('unknown', '(not recorded)') order by 1""",
    )
    assert not_recorded == [("(not recorded)", 60, 14), ("unknown", 1099, 179)]


def test_olist_deal_won_before_first_contact_is_flagged(olist: duckdb.DuckDBPyConnection) -> None:
    flagged = rows(
        olist,
        """select conversion_definition, in_numerator, seconds_to_convert, why_not from fct_conversion
        where is_converted_before_entry order by 1""",
    )
    assert flagged == [
        ("mql_to_won", True, None, None),
        ("mql_to_won_30d", False, None, "conversion_before_entry"),
        ("mql_to_won_30x24h", False, None, "conversion_before_entry"),
    ]
    assert rows(olist, "select min(seconds_to_convert) >= 0 from fct_conversion") == [(True,)]


def test_olist_windows_in_days_and_in_hours(olist: duckdb.DuckDBPyConnection) -> None:
    """554 within 0 to 30 calendar days; 547 within 30 x 24 hours, of which one is the flagged deal."""
    assert rows(
        olist,
        """select conversion_definition, count(*) filter (in_numerator), median(days_to_convert) from fct_conversion
        group by 1 order by 1""",
    ) == [("mql_to_won", 842, 14.0), ("mql_to_won_30d", 554, 14.0), ("mql_to_won_30x24h", 546, 14.0)]


def test_bpi2012_counts_by_status(bpi2012: duckdb.DuckDBPyConnection) -> None:
    counted = dict(rows(bpi2012, "select stage, count(*) from fct_stage_event group by 1"))
    assert {stage: counted[stage] for stage in ("inquiry", "mql", "sal", "sql", "won", "disqualified", "recycled")} == {
        "inquiry": 13087,
        "mql": 7367,
        "sal": 5113,
        "sql": 5015,
        "won": 2246,
        "disqualified": 7635,
        "recycled": 2807,
    }
    assert rows(bpi2012, "select count(*), count(distinct person_key) from fct_journey") == [(13087, 13087)]
    assert rows(bpi2012, "select count(*) from fct_journey where outcome = 'open'") == [(399,)]


def test_bpi2012_reopened_offers(bpi2012: duckdb.DuckDBPyConnection) -> None:
    """7,030 offers in 5,015 applications; 1,438 applications had more than one and stay one journey each."""
    assert rows(
        bpi2012,
        """select sum(offers), count(*), count(*) filter (offers > 1)
        from (select journey_key, count(*) as offers from fct_opportunity group by 1) as journey""",
    ) == [(7030, 5015, 1438)]


def test_bpi2012_months_belong_to_the_business_time_zone(bpi2012: duckdb.DuckDBPyConnection) -> None:
    by_month = rows(
        bpi2012,
        """select strftime(period_start, '%b'), denominator from conversion_rate
        where conversion_definition = 'submitted_to_approved' and period_grain = 'month' and cut_name = 'total'
        order by period_start""",
    )
    assert by_month == [("Oct", 2393), ("Nov", 2940), ("Dec", 2122), ("Jan", 2747), ("Feb", 2885)]


def test_bpi2012_time_to_approval(bpi2012: duckdb.DuckDBPyConnection) -> None:
    seconds = rows(
        bpi2012,
        """select seconds_to_convert from fct_conversion
        where conversion_definition = 'submitted_to_approved' and in_numerator""",
    )
    assert round(statistics.median(second for (second,) in seconds) / 86400, 2) == 14.44


def test_bpi2012_approvals_come_as_often_as_said(bpi2012: duckdb.DuckDBPyConnection) -> None:
    """Probabilities by status and days in it, each said from what was known on the day, judged by the month after it (practice LL5.1)."""
    events = events_of(
        bpi2012.execute(
            """select event.journey_key, stage, occurred_at, recorded_at, region, product_line, null as amount
            from fct_stage_event as event join fct_journey using (journey_key)
            where resolution = 'effective' and (is_milestone or movement = 'outcome')"""
        ).df(),
        "Europe/Amsterdam",
    )
    end = float(np.floor(events.time.max()))
    record = Record(events, end, origins=30, every=7, within=(30, 60))
    for model, scope, least in (
        (RAW_JOURNEY, "won_30d", 14),
        (JOURNEY, "won_30d", 14),
        (JOURNEY, "won_60d", 5),
    ):
        cases = record.cases[model, scope]
        assert len(np.unique(cases.origin)) >= least and len(np.unique(cases.journey)) > 1_500
        found = metrics(cases.probability, cases.outcome, cases.journey)
        slope, error, chance = (found[name] for name in ("calibration_slope", "ece", "ece_by_chance"))
        assert slope.value == pytest.approx(1.0, abs=0.1), (model, scope)
        assert slope.low is not None and slope.high is not None and slope.low <= 1 <= slope.high
        assert error.value is not None and chance.value is not None
        # The bank approved more as months went by; no more than a point and a half of the error is not chance.
        assert error.value < chance.value + 0.015, (model, scope)


def test_bpi2012_ties_follow_the_event_order(bpi2012: duckdb.DuckDBPyConnection) -> None:
    """Events of one moment keep the order of the log: no journey turns back at a tie."""
    tied = rows(
        bpi2012,
        """select count(*) from fct_stage_event as one join fct_stage_event as other
        on one.journey_key = other.journey_key and one.occurred_at = other.occurred_at
        and other.event_number = one.event_number + 1""",
    )
    assert tied[0][0] > 0
    assert rows(
        bpi2012,
        """select count(*) from fct_stage_event as one join fct_stage_event as other
        on one.journey_key = other.journey_key and one.occurred_at = other.occurred_at
        and other.event_number = one.event_number + 1
        where one.source_table = other.source_table
        and cast(split_part(one.source_id, ':', 2) as int) > cast(split_part(other.source_id, ':', 2) as int)""",
    ) == [(0,)]
