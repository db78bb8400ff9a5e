"""Forecasts: against published figures, against simulation by known rates, and against what companies of known rates went on to do."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import pytest
from conftest import RunDbt
from firms import BEGIN, firm
from leadlag.cli import main
from leadlag.forecast import arrivals, metrics
from leadlag.forecast.backtest import MODEL, WEEKS, Judged, backtest, records
from leadlag.forecast.hazard import AGES, EXITS, Course, fit, open_counts
from leadlag.forecast.intervals import errors, interval, needed
from leadlag.forecast.journeys import CODES, ENDED, STAGES, WON, Events, Floats
from leadlag.forecast.model import MEASURES, actual, forecast
from leadlag.forecast.periods import EPOCH, LEAST_HISTORY, Outlook, periods
from leadlag.forecast.source import project_variable
from leadlag.forecast.store import TABLES, store
from leadlag.warehouse import connect, find_target

OK, FAILED, USAGE = 0, 1, 2
DAYS = 1_370
END = float(BEGIN + DAYS)

# Quarterly Australian beer production from 1992, megalitres (Hyndman and Athanasopoulos, fpp2, ausbeer): 64 quarters, then 10.
BEER = np.array(
    (
        "443 410 420 532 433 421 410 512 449 381 423 531 426 408 416 520 409 398 398 507 432 398 406 526 428 397 403 517 435 383 424 521 "
        "421 402 414 500 451 380 416 492 428 408 406 506 435 380 421 490 435 390 412 454 416 403 408 482 438 386 405 491 427 383 394 473 "
        "420 390 410 488 415 398 419 488 414 374"
    ).split(),
    dtype=np.float64,
)


# --- metrics ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "published"),
    [
        (np.full(10, BEER[:64].mean()), (38.45, 34.83, 8.28, 2.44)),
        (np.full(10, BEER[63]), (62.69, 57.40, 14.18, 4.01)),
        (arrivals.seasonal_naive(BEER[:64], 4, 10), (14.31, 13.40, 3.17, 0.94)),
    ],
    ids=["mean", "naive", "seasonal_naive"],
)
def test_metrics_are_those_published(said: Floats, published: tuple[float, ...]) -> None:
    history, true = BEER[:64], BEER[64:]
    mase = metrics.mase(true, said, history, 4)
    found = (metrics.rmse(true, said), metrics.mae(true, said), 100 * metrics.mape(true, said), mase)
    assert tuple(round(value, 2) for value in found) == published


def test_metrics_by_hand() -> None:
    true, said = [10, 0, 30], [12, 1, 24]
    assert metrics.wape(true, said) == pytest.approx(9 / 40)
    assert metrics.bias(true, said) == pytest.approx(37 / 40 - 1)
    assert metrics.pinball(true, said, 0.9) == pytest.approx((0.1 * 2 + 0.1 * 1 + 0.9 * 6) / 3)
    assert metrics.coverage(true, [10, 1, 0], [11, 2, 30]) == pytest.approx(2 / 3)
    assert np.isnan(metrics.wape([0, 0], [1, 2])) and np.isnan(metrics.bias([0], [1]))
    for wrong in (lambda: metrics.mape([0], [1]), lambda: metrics.mae([1], [1, 2]), lambda: metrics.mae([], [])):
        with pytest.raises(ValueError, match=r"\w"):
            wrong()
    with pytest.raises(ValueError, match="more than 4 values"):
        metrics.mase([1], [1], [1, 2, 3, 4], 4)


# --- rates and what follows from them ------------------------------------------------------------------------------------
def some_rates() -> Floats:
    """(stage, exit, age): rates that change with age, some stages skipped."""
    age = np.arange(AGES)
    rates = np.zeros((len(STAGES), EXITS, AGES))
    for stage in range(len(STAGES)):
        rates[stage, stage + 1] = 0.02 + 0.05 * np.exp(-(((age - 5 * stage) / 9) ** 2))
        rates[stage, ENDED] = 0.01 + 0.03 * (age > 20)
    rates[0, CODES["sql"]] = 0.01
    return rates


def walked(rates: Floats, stage: int, age: int, days: int, count: int) -> Floats:
    """Shares of journeys that had been won within so many days, day by day, drawn one day after the other."""
    rng = np.random.default_rng(3)
    stages, ages, won = np.full(count, stage), np.full(count, age), np.zeros(days + 1)
    going = np.ones(count, dtype=bool)
    for day in range(1, days + 1):
        chances = np.cumsum(rates[np.minimum(stages, WON - 1), :, ages], axis=1)
        drawn = (rng.uniform(size=count)[:, None] > chances).sum(axis=1)
        leaves = going & (drawn < EXITS)
        won[day] = np.count_nonzero(leaves & (drawn == WON))
        going &= ~(leaves & (drawn >= WON))
        moved = leaves & (drawn < WON)
        stages[moved] = drawn[moved]
        ages = np.where(moved, 0, ages + 1)
    return won.cumsum() / count


@pytest.mark.parametrize(("stage", "age"), [(0, 0), (0, 30), (3, 0), (3, 12), (4, 50)])
def test_chances_are_those_of_journeys_drawn_day_by_day(stage: int, age: int) -> None:
    rates, days, count = some_rates(), 90, 200_000
    course = Course(rates, days)
    entry = course.from_entry(WON)
    waiting = np.zeros((len(STAGES), AGES), dtype=np.int64)
    waiting[stage, age] = count
    found = course.from_open(WON, course.leaving(waiting), entry) / count
    drawn = walked(rates, stage, age, days, count)
    # Drawn journeys begin the next stage a whole day later, here half a day: the two curves lie within a day of each other.
    steps = WON - stage - 1
    assert np.all(drawn <= found + 0.006)
    assert np.all(found[: days + 1 - steps] <= drawn[steps:] + 0.006)
    assert found[days] == pytest.approx(drawn[days], abs=0.03)
    if age == 0:
        assert found == pytest.approx(entry[stage], abs=1e-12)


def test_rates_are_found_again_and_segments_with_few_exits_are_drawn_to_the_others() -> None:
    events = firm(5)
    spells = events.spells(END)
    hazards = fit(spells, 1)
    assert hazards.factor == pytest.approx(1.0, abs=0.02)
    for stage in range(len(STAGES)):
        here = spells.stage == stage
        left = here & ~spells.is_open
        # The share that goes on to the next stage, of those whose stay has long ended.
        old = left & (spells.start < END - 400)
        share = np.count_nonzero(spells.exit[old] == stage + 1) / np.count_nonzero(old)
        staying = Course(hazards.of(0), 1).density[stage].sum(axis=1)
        assert staying[stage + 1] == pytest.approx(share, abs=0.03)
    # Ten stays of a second segment, all won at once, beside thousands: the factor is that of the gamma mean.
    few = np.flatnonzero(spells.stage == 4)[:10]
    segment = spells.segment.copy()
    segment[few] = 1
    outcome, days = spells.exit.copy(), spells.days.copy()
    outcome[few], days[few] = WON, 0.5
    hazards = fit(replace(spells, segment=segment, exit=outcome, days=days), 2)
    expected = 10 * hazards.rate[4, WON, 0]
    assert hazards.factor[1, 4, WON] == pytest.approx((10 + 30) / (expected + 30))


def test_open_journeys_are_those_that_have_not_ended() -> None:
    events = firm(6)
    origin = END - 200
    known = events.known_at(origin)
    last = {}
    for journey, code in zip(events.journey[known], events.code[known], strict=True):
        last[journey] = code
    assert open_counts(events.spells(origin), 1).sum() == sum(code < WON for code in last.values())


# --- as of ----------------------------------------------------------------------------------------------------------------
def test_a_forecast_knows_nothing_that_was_recorded_later() -> None:
    """Whatever comes later - outcomes, amounts, backdated wins - leaves the forecast of an origin as it is."""
    events = firm(7)
    origin = END - 150
    later = ~events.known_at(origin)
    rng = np.random.default_rng(1)
    chosen = later & (rng.uniform(size=len(events)) < 0.5)
    time = np.where(chosen, np.minimum(events.time, origin - rng.uniform(0, 40, len(events))), events.time)
    code = np.where(chosen & (rng.uniform(size=len(events)) < 0.3), WON, events.code)
    # Entered later with days long gone, as wins or as how a journey began, with amounts that nobody could know.
    order = np.lexsort((code, time, events.journey))
    planted = Events(
        events.journey[order],
        events.segment[order],
        code[order],
        time[order],
        events.known[order],
        np.where(later, 1e9, events.amount)[order],
        events.segments,
    )
    assert np.count_nonzero(chosen) > 1_000 and not np.array_equal(order, np.arange(len(events)))
    one, other = forecast(events, origin, 91), forecast(planted, origin, 91)
    for measure in MEASURES:
        assert np.array_equal(one.total(measure), other.total(measure))
    assert not np.array_equal(actual(events, "won", origin, 91), actual(planted, "won", origin, 91))


# --- intervals --------------------------------------------------------------------------------------------------------------
def test_intervals_hold_what_they_say_when_errors_are_alike() -> None:
    rng = np.random.default_rng(2)
    for level in (0.8, 0.95):
        held = 0
        for _ in range(2_000):
            said = rng.uniform(20, 200, 41)
            true = said * np.exp(rng.normal(0, 0.3, 41))
            ends = interval(said[40], errors(true[:40], said[:40], 0.0), level, 0.0)
            assert ends is not None
            held += ends[0] <= true[40] <= ends[1]
        # Exactly rank / (n + 1) in the mean.
        assert held / 2_000 == pytest.approx(np.ceil(41 * level) / 41, abs=0.025)
    assert (needed(0.8), needed(0.95)) == (4, 19)
    assert interval(10.0, np.zeros(18), 0.95) is None and interval(10.0, np.zeros(19), 0.95) == (10.0, 10.0)


# --- companies of known rates -------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return [one for seed in range(20) for one in backtest(firm(seed), END)]


@pytest.mark.parametrize(("days", "gain"), [(28, 0.40), (91, 0.25)])
def test_forecasts_of_wins_beat_last_year_and_every_simple_method(judged: list[Judged], days: int, gain: float) -> None:
    found = {
        record.method: record for record in records(judged) if (record.measure, record.horizon_days) == ("won", days)
    }
    model = found.pop(MODEL)
    assert model.forecasts >= 400
    assert model.gain >= gain
    assert abs(model.bias) < 0.02
    assert all(model.wape < 0.8 * other.wape for other in found.values())


@pytest.mark.parametrize(("level", "tolerance"), [(0.8, 0.03), (0.95, 0.02)])
def test_intervals_of_wins_hold_as_often_as_they_say(judged: list[Judged], level: float, tolerance: float) -> None:
    wins = [one for one in judged if one.measure == "won" and level in one.intervals]
    assert len(wins) >= 400
    held = np.mean([one.intervals[level][0] <= one.actual <= one.intervals[level][1] for one in wins])
    assert held == pytest.approx(level, abs=tolerance)


# --- periods ------------------------------------------------------------------------------------------------------------------
def test_periods_are_whole_and_begin_where_the_calendar_says() -> None:
    found = list(periods(date(2026, 2, 18), 184))
    by_grain = {grain: [one for one in found if one.grain == grain] for grain in ("day", "week", "month", "quarter")}
    assert (by_grain["week"][0].start, by_grain["month"][0].start) == (date(2026, 2, 16), date(2026, 2, 1))
    assert [one.start for one in by_grain["quarter"]] == [date(2026, 1, 1), date(2026, 4, 1)]
    assert (by_grain["month"][0].first, by_grain["month"][0].last) == (-17, 11)
    for ones in by_grain.values():
        assert all(one.last == other.first for one, other in pairwise(ones))
    assert len(by_grain["day"]) == 28


def test_parts_add_up_to_the_whole() -> None:
    events = firm(8)
    number = events.journey % 4
    names = (("EMEA", "Core"), ("EMEA", "Insights"), ("NA", "Core"), ("NA", "Insights"))
    events = replace(events, segment=number, segments=names)
    outlook = Outlook(events, END, 100)
    sums: dict[tuple[Any, ...], dict[str, float]] = {}
    for one in outlook.predictions():
        key = (one.measure, one.period.grain, one.period.start)
        parts = sums.setdefault(key, {})
        parts[one.cut_name] = parts.get(one.cut_name, 0.0) + one.expected
        assert one.expected == pytest.approx(one.actual_to_date + one.from_open + one.from_arrivals)
        for low, high in one.intervals.values():
            assert one.actual_to_date <= low <= one.expected + 1e-9 <= high + 2e-9
    assert len(sums) > 100
    for parts in sums.values():
        assert parts["region"] == pytest.approx(parts["total"]) and parts["product_line"] == pytest.approx(
            parts["total"]
        )
    day = EPOCH + timedelta(days=int(END))
    month = next(one for one in periods(day, 100) if one.grain == "month")
    to_date = actual(events, "won", END + month.first, -month.first).sum()
    assert month.first < 0 and to_date > 0
    rows = [one for one in outlook.predictions() if one.measure == "won" and one.period == month]
    assert next(one for one in rows if one.cut_name == "total").actual_to_date == to_date


def test_little_history_is_said() -> None:
    events = firm(9)
    early = Outlook(events, float(BEGIN + LEAST_HISTORY), 91)
    assert early.now.reasons == ("fewer than two years of arrivals: no season",)
    assert all(not one.intervals and one.completed == 0 for one in early.predictions())
    with pytest.raises(ValueError, match=f"{LEAST_HISTORY} are needed"):
        Outlook(events, float(BEGIN + LEAST_HISTORY - 2), 91)
    with pytest.raises(ValueError, match="nothing to judge"):
        backtest(events, float(BEGIN + 380))
    with pytest.raises(ValueError, match="no journey was known"):
        forecast(events, float(BEGIN - 1), 28)


# --- commands -----------------------------------------------------------------------------------------------------------------
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def warehouse_file(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forecast") / "leadlag.duckdb"
    with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
        company = ["--leads", "500", "--seed", "11", "--until", "2025-12-31", "--quiet"]
        assert main(["simulate", *company, "--profiles-dir", str(profiles_dir)]) == OK
    select = ["+fct_stage_event", "+fct_opportunity", "+fct_journey", "+forecast_current", "+forecast_backtest"]
    run_dbt(
        ["build", "--exclude-resource-type", "test", "unit_test", "snapshot", "--select", *select], duckdb_path=path
    )
    return path


@pytest.fixture
def call(warehouse_file: Path, profiles_dir: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Runs a command on the company: exit code, output and errors."""

    def run(*words: str, path: Path = warehouse_file) -> tuple[int, str, str]:
        with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
            code = main([words[0], "--quiet", *words[1:], "--profiles-dir", str(profiles_dir)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    yield run


def rows_of(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_a_forecast_is_written_once_for_each_as_of(call: Call, warehouse_file: Path) -> None:
    table = "main_prediction.prediction_forecast"
    code, printed, _ = call("forecast", "--dry-run")
    assert code == OK and "won" in printed
    assert rows_of(warehouse_file, f"select count(*) from {table}") == [(0,)]
    code, printed, _ = call("forecast")
    assert code == OK and "rows in main_prediction.prediction_forecast" in printed
    first = rows_of(warehouse_file, f"select * from {table} order by all")
    assert call("forecast")[0] == OK
    assert rows_of(warehouse_file, f"select * from {table} order by all") == first
    # The day's numbers: whole periods, whose sum over regions is the total.
    wrong = f"""
        select measure, period_grain, period_start from {table}
        group by all having abs(sum(case cut_name when 'region' then expected when 'total' then -expected end)) > 1e-6
    """
    assert rows_of(warehouse_file, wrong) == []
    # What a month has seen is what the marts say of it.
    seen = f"""
        select actual_to_date, (
            select count(*) from main_marts.fct_journey
            where timezone('Europe/Berlin', timezone('UTC', mql_at)) between period_start and cast(as_of as date)
        )
        from {table} where measure = 'mql' and period_grain = 'month' and cut_name = 'total' order by period_start limit 1
    """
    ((told, counted),) = rows_of(warehouse_file, seen)
    assert told == counted > 0
    # An earlier day's forecast stays.
    with duckdb.connect(str(warehouse_file)) as connection:
        connection.execute(f"update {table} set as_of = as_of - interval 1 day")
    assert call("forecast")[0] == OK
    assert rows_of(warehouse_file, f"select count(*), count(distinct as_of) from {table}") == [(2 * len(first), 2)]
    assert sorted(rows_of(warehouse_file, "select * from main_marts.forecast_current"), key=str) == sorted(
        first, key=str
    )
    code, printed, _ = call("forecast", "--json", "--dry-run")
    assert len(json.loads(printed)) == len(first)
    assert call("forecast", "--horizon", "5")[0] == USAGE


def test_a_backtest_says_how_good_forecasts_were(call: Call, warehouse_file: Path) -> None:
    code, printed, _ = call("backtest", "--json")
    assert code == OK
    found = {(one["measure"], one["horizon_days"], one["method"]): one for one in json.loads(printed)}
    assert set(found) == {
        (measure, 7 * weeks, method)
        for measure in MEASURES
        for weeks in WEEKS
        for method in (MODEL, "naive", "seasonal_naive", "drift", "exponential_smoothing")
    }
    # The mart computes the same metrics from the rows.
    query = """
        select measure, horizon_days, method, forecast_count, wape, bias, gain, coverage_80, coverage_95
        from main_marts.forecast_backtest
    """
    computed = {row[:3]: row[3:] for row in rows_of(warehouse_file, query)}
    assert set(computed) == set(found)
    for key, one in found.items():
        metrics_of_one = [one[name] for name in ("forecasts", "wape", "bias", "gain")]
        held = [one["coverage"].get(level) for level in ("0.8", "0.95")]
        assert computed[key] == tuple(
            value if value is None else pytest.approx(value, rel=1e-9, abs=1e-12) for value in (*metrics_of_one, *held)
        )
    # What had happened is what the marts say now.
    query = """
        select count(*) from main_prediction.prediction_backtest as judged
        where measure = 'won' and method = 'naive' and actual <> (
            select count(*) from main_marts.fct_journey
            where cast(timezone('Europe/Berlin', timezone('UTC', won_at)) as date) >= origin_date
                and cast(timezone('Europe/Berlin', timezone('UTC', won_at)) as date) < origin_date + cast(horizon_days as integer)
        )
    """
    assert rows_of(warehouse_file, query) == [(0,)]
    assert call("backtest", "--origins", "3")[0] == USAGE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("drop table main_marts.fct_opportunity", "there is no main_marts.fct_opportunity; run `dbt build`"),
        ("alter table main_marts.fct_journey drop column region", "fct_journey has no column region"),
        ("delete from main_marts.fct_stage_event", "has no journeys to forecast from"),
        ("update main_marts.fct_stage_event set stage = 'dreaming'", "stages dreaming are none"),
    ],
)
def test_what_cannot_be_forecast_from_is_named(
    call: Call, warehouse_file: Path, tmp_path: Path, change: str, message: str
) -> None:
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(warehouse_file.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute(change)
    for command in ("forecast", "backtest"):
        code, _, told = call(command, path=path)
        assert code == FAILED and message in told


def test_a_young_company_is_told_what_is_missing(call: Call, warehouse_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(warehouse_file.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from main_marts.fct_stage_event where occurred_at < timestamp '2025-11-01'")
    code, printed, _ = call("forecast", path=path)
    assert code == OK and "nothing is forecast yet" in printed and "182 are needed" in printed
    code, printed, _ = call("backtest", path=path)
    assert code == OK and "nothing is judged yet" in printed


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_run_replaces_its_own_rows_only(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path, profiles_dir: Path
) -> None:
    environment = {"LEADLAG_TARGET": engine, "LEADLAG_DUCKDB_PATH": str(tmp_path / "leadlag.duckdb")}
    if engine == "postgres":
        environment |= request.getfixturevalue("postgres_server")
    row: dict[str, Any] = dict.fromkeys(TABLES["prediction_backtest"].names)
    row |= {"measure": "won", "origin_date": date(2025, 1, 1), "horizon_days": 28, "method": MODEL}
    with mock.patch.dict(os.environ, environment), connect(find_target(profiles_dir=profiles_dir)) as warehouse:

        def put(day: int, version: str, values: Sequence[float]) -> None:
            rows = [{**row, "expected": value, "actual": 1.0, "as_of": None, "model_version": None} for value in values]
            rows = [{k: v for k, v in one.items() if k not in ("as_of", "model_version")} for one in rows]
            store(warehouse, "predicted", "prediction_backtest", datetime(2025, 2, day), version, rows)

        put(1, "one", [1.0, 2.0])
        put(2, "one", [3.0])
        put(1, "two", [4.0])
        put(1, "one", [5.0])
        found = warehouse.query("select expected from predicted.prediction_backtest order by 1")["expected"].tolist()
        assert found == [3.0, 4.0, 5.0]


def test_variables_are_those_that_dbt_would_find(tmp_path: Path) -> None:
    package = tmp_path / "dbt_packages" / "leadlag"
    package.mkdir(parents=True)
    (package / "dbt_project.yml").write_text("vars: {leadlag: {business_timezone: A, other: P}}", encoding="utf-8")
    (tmp_path / "dbt_project.yml").write_text("vars: {business_timezone: B, leadlag: {x: 1}}", encoding="utf-8")
    assert project_variable(tmp_path, "business_timezone", {}) == "B"
    assert project_variable(tmp_path, "business_timezone", {"business_timezone": "C"}) == "C"
    assert project_variable(tmp_path, "other", {}) == "P"
    assert project_variable(tmp_path, "none", {}) is None


def test_events_of_one_moment_are_in_the_order_of_the_stages() -> None:
    moment = float(BEGIN) + 0.5
    zero = np.zeros(3, dtype=np.int64)
    events = Events(
        zero, zero, np.array([0, 1, ENDED]), np.full(3, moment), np.full(3, moment), np.zeros(3), (("a", "b"),)
    )
    spells = events.spells(moment + 1)
    assert spells.exit.tolist() == [1, ENDED] and spells.days.tolist() == [0.0, 0.0]
