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
from leadlag.calibrate.crm import read_percentages
from leadlag.cli import main
from leadlag.forecast import arrivals, metrics
from leadlag.forecast.backtest import CRM, METHODS, MODEL, UNCALIBRATED, WEEKS, Judged, backtest, records
from leadlag.forecast.command import VERSION
from leadlag.forecast.hazard import AGES, EXITS, Course, fit, open_counts
from leadlag.forecast.intervals import Recalibration
from leadlag.forecast.journeys import CODES, ENDED, STAGES, WON, Events, Floats
from leadlag.forecast.model import MEASURES, actual, forecast
from leadlag.forecast.periods import EPOCH, LEAST_HISTORY, Outlook, periods
from leadlag.forecast.source import project_variable, read_company
from leadlag.forecast.store import TABLES, store
from leadlag.warehouse import connect, find_target

OK, FAILED, USAGE = 0, 1, 2
NO_SEASON = "fewer than two years of arrivals: no season"
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


# --- companies of known rates -------------------------------------------------------------------------------------------------
# Constants of the method were chosen on companies 0 to 19 and 100 to 119; it is judged on others.
JUDGED = range(200, 220)


@pytest.fixture(scope="module")
def judged() -> list[Judged]:
    return [one for seed in JUDGED for one in backtest(firm(seed), END)]


def held(judged: Sequence[Judged], level: float) -> float:
    return float(np.mean([one.intervals[level][0] <= one.actual <= one.intervals[level][1] for one in judged]))


@pytest.mark.long
@pytest.mark.parametrize(("days", "gain"), [(28, 0.40), (91, 0.25)])
def test_forecasts_of_wins_beat_last_year_and_every_simple_method(judged: list[Judged], days: int, gain: float) -> None:
    found = {
        record.method: record for record in records(judged) if (record.measure, record.horizon_days) == ("won", days)
    }
    model = found.pop(MODEL)
    found.pop(UNCALIBRATED)
    assert model.forecasts >= 400
    assert model.gain.value >= gain
    assert abs(model.bias.value) < 0.03
    assert all(model.wape.value < 0.85 * other.wape.value for other in found.values())


@pytest.mark.long
@pytest.mark.parametrize("weeks", [(4,), (13,), (4, 13, 26)])
@pytest.mark.parametrize(("level", "tolerance"), [(0.8, 0.03), (0.95, 0.02)])
def test_intervals_hold_as_often_as_they_say(
    judged: list[Judged], level: float, tolerance: float, weeks: tuple[int, ...]
) -> None:
    ones = [one for one in judged if one.method == MODEL and one.horizon_days // 7 in weeks and level in one.intervals]
    assert len(ones) >= 400 * len(MEASURES)
    assert held(ones, level) == pytest.approx(level, abs=tolerance)
    for measure in MEASURES:
        assert held([one for one in ones if one.measure == measure], level) == pytest.approx(level, abs=0.08)


def test_forecasts_of_two_companies_are_good_and_their_intervals_hold() -> None:
    """The same on little: the long tests are the proof."""
    judged = [one for seed in (203, 211) for one in backtest(firm(seed, 900), float(BEGIN + 900), origins=60)]
    found = {(one.measure, one.horizon_days, one.method): one for one in records(judged)}
    model = found["won", 28, MODEL]
    assert model.gain.value > 0.25 and abs(model.bias.value) < 0.1
    assert model.wape.value < min(found["won", 28, method].wape.value for method in ("naive", "ets", "drift"))
    ones = [one for one in judged if one.method == MODEL and one.intervals]
    assert held(ones, 0.8) == pytest.approx(0.8, abs=0.1) and held(ones, 0.95) == pytest.approx(0.95, abs=0.06)


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
    assert early.now.reasons == (NO_SEASON,)
    assert all(not one.intervals and one.completed == 0 for one in early.predictions())
    assert early.recalibrations["won"] == Recalibration()
    with pytest.raises(ValueError, match=f"{LEAST_HISTORY} are needed"):
        Outlook(events, float(BEGIN + LEAST_HISTORY - 2), 91)
    with pytest.raises(ValueError, match="nothing to judge"):
        backtest(events, float(BEGIN + 380))
    with pytest.raises(ValueError, match="no journey was known"):
        forecast(events, float(BEGIN - 1), 28)


# --- commands -----------------------------------------------------------------------------------------------------------------
Call = Callable[..., tuple[int, str, str]]
# Marts on predictions.
VIEWS = [f"forecast_{name}" for name in ("current", "backtest", "accuracy", "deviation", "recalibration")] + [
    "model_registry"
]


@pytest.fixture(scope="module")
def warehouse_file(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forecast") / "leadlag.duckdb"
    with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
        company = ["--leads", "500", "--seed", "11", "--until", "2025-12-31", "--quiet"]
        assert main(["simulate", *company, "--profiles-dir", str(profiles_dir)]) == OK
    select = ["+fct_stage_event", "+fct_journey", "+leadlag.marts.forecast", "org_change"]
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
    code, printed, _ = call("backtest", "--origins", "60", "--json")
    assert code == OK
    found = {(one["measure"], one["horizon_days"], one["method"]): one for one in json.loads(printed)}
    assert set(found) == {
        (measure, 7 * weeks, method)
        for measure in MEASURES
        for weeks in WEEKS
        for method in METHODS
        if method != CRM or measure in ("won", "won_amount")
    }
    # The mart computes the same metrics from the rows.
    query = """
        select measure, horizon_days, method, forecast_count, independent_count, wape, bias, mase, gain, model_gain, coverage_80,
            coverage_95, pinball_80, pinball_95, wape_low, wape_high, model_gain_low, coverage_80_low
        from main_marts.forecast_backtest
    """
    computed = {row[:3]: row[3:] for row in rows_of(warehouse_file, query)}
    assert set(computed) == set(found)
    for key, one in found.items():
        other = one["model_gain"] or dict.fromkeys(("value", "low", "high"))
        is_model = key[2] == MODEL
        held_80, held_95 = (one["coverage"].get(level, {}) for level in ("0.8", "0.95"))
        # The CRM did not know all origins.
        same = one["forecasts"] == found[*key[:2], MODEL]["forecasts"]
        expected = [one["forecasts"], one["independent"] if same else None]
        expected += [one[name]["value"] for name in ("wape", "bias", "mase")]
        expected += [one["gain"]["value"] if same else None, other["value"]]
        expected += [held_80.get("value"), held_95.get("value")]
        expected += [one["pinball"].get(level, {}).get("value") for level in ("0.8", "0.95")]
        expected += [one["wape"][end] if is_model else None for end in ("low", "high")]
        expected += [other["low"], held_80.get("low") if is_model else None]
        assert computed[key] == tuple(
            value if value is None else pytest.approx(value, rel=1e-9, abs=1e-9) for value in expected
        ), key
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


def test_probabilities_are_of_what_dbt_has_built(call: Call, warehouse_file: Path, profiles_dir: Path) -> None:
    code, printed, _ = call("calibrate", "--json", "--dry-run", "--every", "91")
    assert code == OK
    told = json.loads(printed)
    entered = {
        row["stage"]: row["entry_count"]
        for row in told["prediction_stage_probability"]
        if (row["cut_name"], row["outcome"], row["within_days"]) == ("total", "won", 90)
    }
    ((as_of,),) = rows_of(warehouse_file, "select as_of from main_intermediate.int_input__clock")
    for stage in STAGES:
        query = f"""
            select count(*) from main_marts.fct_journey
            where {stage}_at < cast(as_of as date) and {stage}_at >= cast(as_of as date) - 730
        """.replace("as_of", f"timestamp '{as_of}'")
        assert entered[stage] == pytest.approx(rows_of(warehouse_file, query)[0][0], abs=3) and entered[stage] > 50
    keys = {row["journey_key"]: row["person_key"] for row in told["prediction_journey_probability"]}
    known = dict(rows_of(warehouse_file, "select journey_key, person_key from main_marts.fct_journey"))
    assert len(keys) > 50 and keys.items() <= known.items()
    # The percentages that stand at the end are those that the mart shows.
    environment = {"LEADLAG_DUCKDB_PATH": str(warehouse_file), "LEADLAG_TARGET": "duckdb"}
    with mock.patch.dict(os.environ, environment), connect(find_target(profiles_dir=profiles_dir)) as warehouse:
        company = read_company(warehouse, "Europe/Berlin")
        percentages, reason = read_percentages(warehouse, company.keys, "Europe/Berlin")
    assert percentages is not None and reason is None
    found = {
        (source, int(company.keys["journey_key"][number])): value
        for source, (journey, said) in percentages.at(company.origin + 1).items()
        for number, value in zip(journey, said, strict=True)
    }
    query = """
        select source_system, journey_key, max(probability) from main_marts.fct_opportunity
        where is_counted and not is_closed and probability is not null and journey_key is not null group by all
    """
    assert found == {(source, key): said for source, key, said in rows_of(warehouse_file, query)} and len(found) > 5
    short = call("calibrate", "--short", "--dry-run", "--every", "91")[1].splitlines()
    assert len(short) == 1 + 1 + len(STAGES) + 1 + 1 + 1 and short[-1].startswith("journey_probability  ")


def test_a_backtest_that_was_killed_goes_on_where_it_stopped(call: Call, warehouse_file: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.duckdb", tmp_path / "leadlag.duckdb"
    broken.write_bytes(warehouse_file.read_bytes())
    made: list[float] = []

    def dying(events: Events, origin: float, horizon: int) -> Any:
        made.append(origin)
        if len(made) == 6:
            raise KeyboardInterrupt
        return forecast(events, origin, horizon)

    with mock.patch("leadlag.forecast.backtest.forecast", dying):
        assert call("backtest", "--origins", "12", "--anew", path=broken)[0] == 130
        kept = "select count(distinct origin_date) from main_prediction.prediction_backtest"
        assert rows_of(broken, kept) == [(5,)]
        code, printed, _ = call("backtest", "--origins", "12", path=broken)
    # Seven remained, and of them the one that had been interrupted.
    assert code == OK and "5 of them judged before" in printed and len(made) == 6 + 4
    whole.write_bytes(broken.read_bytes())
    assert call("backtest", "--origins", "12", "--anew", path=broken)[0] == OK
    for table in ("backtest", "accuracy", "model_quality"):
        everything = f"select * from main_prediction.prediction_{table} order by all"
        assert rows_of(broken, everything) == rows_of(whole, everything) != []
    # Nothing is left to do; other origins, or another past, are judged anew.
    with mock.patch("leadlag.forecast.backtest.forecast", dying):
        assert "9 of them judged before" in call("backtest", "--origins", "12", path=broken)[1] and len(made) == 10
    with duckdb.connect(str(broken)) as connection:
        connection.execute("update main_prediction.prediction_backtest set actual = actual + 1 where measure = 'mql'")
    assert "judged before" not in call("backtest", "--origins", "12", path=broken)[1]
    assert "judged before" not in call("backtest", "--origins", "14", path=broken)[1]


def test_the_picture_of_a_backtest_is_written(call: Call, tmp_path: Path) -> None:
    for name, begins in (("record.png", b"\x89PNG"), ("record.svg", b"<?xml")):
        assert call("backtest", "--origins", "60", "--plot", str(tmp_path / name))[0] == OK
        assert (tmp_path / name).read_bytes().startswith(begins)
    drawn = (tmp_path / "record.svg").read_text(encoding="utf-8")
    assert "<path" in drawn
    code, _, told = call("backtest", "--origins", "60", "--plot", str(tmp_path / "record.gif"))
    assert code == FAILED and "only .png and .svg" in told


def test_marts_on_predictions_say_what_was_predicted(call: Call, warehouse_file: Path) -> None:
    assert call("forecast")[0] == OK and call("backtest", "--origins", "60")[0] == OK
    # The variance of a month adds up, to the digit, and months are all there.
    effects = "arrivals_effect + rate_effect + timing_effect + amount_effect"
    wrong = f"""
        select count(*) from main_marts.forecast_accuracy
        where abs(deviation - ({effects})) > 1e-9 * (1 + abs(expected) + abs(actual)) or deviation <> actual - expected
    """
    assert rows_of(warehouse_file, wrong) == [(0,)]
    months = rows_of(
        warehouse_file,
        "select count(*), count(distinct month_start), max(month_start) from main_marts.forecast_accuracy where horizon_months = 1",
    )
    assert months == [(12 * len(MEASURES), 12, date(2025, 11, 1))]
    # What the running quarter has brought is what the marts say, and the rule of the highest level is the one that tells.
    seen = """
        select deviation.actual, (
            select count(*) from main_marts.fct_journey
            where timezone('Europe/Berlin', timezone('UTC', mql_at)) >= period_start
                and timezone('Europe/Berlin', timezone('UTC', mql_at)) < period_start + cast(elapsed_days as integer)
        ), period_start, elapsed_days
        from main_marts.forecast_deviation as deviation
        where measure = 'mql' and period_grain = 'quarter' and cut_name = 'total'
    """
    ((told, counted, start, days),) = rows_of(warehouse_file, seen)
    assert told == counted > 0 and (start, days) == (date(2025, 10, 1), 90)
    with duckdb.connect(str(warehouse_file)) as connection:
        connection.execute(
            """
            update main_prediction.prediction_deviation
            set actual = low_95 / 3, expected = low_95 where measure = 'won_amount' and cut_name = 'total'
            """
        )
        connection.execute(
            "update main_prediction.prediction_deviation set actual = expected where measure = 'mql' and cut_name = 'total'"
        )
    level = """
        select measure, period_grain, outside_interval, escalation_level, owner from main_marts.forecast_deviation
        where measure in ('won_amount', 'mql') and cut_name = 'total' order by all
    """
    assert rows_of(warehouse_file, level) == [
        ("mql", "month", 0, 0, None),
        ("mql", "quarter", 0, 0, None),
        ("won_amount", "month", 95, 1, "sales_operations"),
        ("won_amount", "quarter", 95, 3, "chief_revenue_officer"),
    ]
    assert rows_of(warehouse_file, "select count(*) from main_marts.forecast_recalibration") == [(len(MEASURES),)]
    # No column of a number holds NaN.
    for view in VIEWS:
        numbers = rows_of(
            warehouse_file, f"select column_name from (describe main_marts.{view}) where column_type = 'DOUBLE'"
        )
        for (column,) in numbers:
            assert rows_of(warehouse_file, f"select count(*) from main_marts.{view} where isnan({column})") == [(0,)]


def test_the_registry_compares_versions_on_the_same_day_only(call: Call, warehouse_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(warehouse_file.read_bytes())
    registered = rows_of(path, f"select count(*) from main_policy.model_change where model_version = '{VERSION}'")
    assert registered == [(1,)]
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from main_prediction.prediction_model_quality")
        insert = "insert into main_prediction.prediction_model_quality values "
        rows = [
            # as_of, version, value, low, high
            ("2025-06-01", "semi-markov 0.1.0", 0.50, 0.45, 0.55),
            ("2025-06-01", VERSION, 0.40, 0.36, 0.44),
            ("2025-07-01", VERSION, 0.39, 0.35, 0.43),
            ("2025-07-02", "semi-markov 0.1.0", 0.20, 0.10, 0.30),
            ("2025-07-01", "home-made", 0.1, 0.1, 0.1),
        ]
        for day, version, *values in rows:
            ends = ", ".join(map(str, values))
            window = "100, date '2024-01-01', date '2025-05-31'"
            connection.execute(f"{insert} ('{day}', '{version}', 'forecast', 'won_28d', 'wape', {ends}, {window})")
    columns = "model_version, is_registered, run_count, judged_as_of, value, predecessor_value, effect, verdict, reason"
    found = {
        row[0]: row[1:]
        for row in rows_of(path, f"select {columns} from main_marts.model_registry where model = 'forecast'")
    }
    effect = pytest.approx(-0.1)
    assert found[VERSION] == (True, 2, datetime(2025, 6, 1), 0.4, 0.5, effect, "better", None)
    assert found["home-made"][0] is False and "unregistered" in found["home-made"][-1]
    assert found["semi-markov 0.1.0"][-1] == "first version" and found["semi-markov 0.1.0"][4] is None
    assert call("backtest", "--origins", "60", path=path)[0] == OK
    quality = f"""
        select metric, case_count, value_low < value and value < value_high from main_prediction.prediction_model_quality
        where model_version = '{VERSION}' and as_of > timestamp '2025-12-01' and scope = 'won_28d'
            and metric in ('wape', 'bias', 'gain_over_naive') order by all
    """
    assert rows_of(path, quality) == [(metric, 57, True) for metric in ("bias", "gain_over_naive", "wape")]


def test_categories_of_the_pipeline_go_by_the_rule(warehouse_file: Path) -> None:
    found = rows_of(
        warehouse_file,
        """select forecast_category, sum(opportunity_count), sum(amount_base), sum(weighted_amount), sum(without_amount_count)
        from main_marts.forecast_category group by all order by 1""",
    )
    counted = rows_of(
        warehouse_file,
        """
        select
            case when probability >= 0.8 then 'commit' when probability >= 0.5 then 'best_case' else 'pipeline' end as category,
            count(*), coalesce(sum(amount_base), 0), coalesce(sum(amount_base * coalesce(probability, 0)), 0),
            count(*) - count(amount_base)
        from main_marts.fct_opportunity where is_counted and not is_closed group by all order by 1
        """,
    )
    assert [row[:3] + row[4:] for row in found] == [row[:3] + row[4:] for row in counted]
    assert [row[3] for row in found] == pytest.approx([row[3] for row in counted])
    assert len(found) >= 2


def test_rules_of_forecasts_that_cannot_work_stop_the_run(
    run_dbt: RunDbt, warehouse_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(warehouse_file.read_bytes())
    broken = {
        "update forecast_category_rule set minimum_probability = 0.1 where minimum_probability = 0": (
            "forecast_category_rule.csv, row [pipeline, 0.100000]: no category takes opportunities of probability 0"
        ),
        "update forecast_category_rule set minimum_probability = 80 where forecast_category = 'commit'": (
            "row [commit, 80.000000]: no category, or no minimum_probability from 0 to 1"
        ),
        "update forecast_escalation_rule set outside_interval = 90 where escalation_level = 3": (
            "forecast_escalation_rule.csv, row [3, won_amount, quarter, total, below]: an unknown measure, grain"
        ),
        "update model_change set approved_by = null where model_version = 'semi-markov 2'": (
            "model_change.csv, row [forecast, semi-markov 2]: no model, version, change, scope, metric, approval"
        ),
    }
    with duckdb.connect(str(path)) as connection:
        connection.execute("use main_policy")
        for statement in broken:
            connection.execute(statement)
    run = run_dbt(["run", "--select", "int_policy__violation"], duckdb_path=path, may_fail=True)
    message = run.messages["int_policy__violation"]
    assert [line for line in broken.values() if line not in message] == [], message


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


@pytest.fixture
def forecast_of_yesterday(call: Call, warehouse_file: Path, tmp_path: Path) -> Path:
    """A warehouse with one forecast, made as of a day earlier."""
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(warehouse_file.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from main_prediction.prediction_forecast")
    assert call("forecast", path=path)[0] == OK
    with duckdb.connect(str(path)) as connection:
        connection.execute("update main_prediction.prediction_forecast set as_of = as_of - interval 1 day")
    return path


def test_another_base_currency_is_said_and_written(call: Call, forecast_of_yesterday: Path) -> None:
    path, table = forecast_of_yesterday, "main_prediction.prediction_forecast"
    units = f"select distinct measure = 'won_amount', unit, contains(coalesce(reason, ''), 'in USD') from {table} where as_of = ({{}})"
    assert sorted(rows_of(path, units.format("as_of"))) == [(False, "journeys", False), (True, "EUR", False)]
    said = "amounts are in USD; those of forecasts before this one are in EUR"
    for _ in range(2):
        code, printed, _ = call("forecast", "--vars", "base_currency: USD", path=path)
        assert code == OK and said in printed
    newest = units.format(f"select max(as_of) from {table}")
    assert sorted(rows_of(path, newest)) == [(False, "journeys", False), (True, "USD", True)]
    current = "select distinct unit from main_marts.forecast_current where measure = 'won_amount'"
    assert rows_of(path, current) == [("USD",)]
    # What the marts say goes before the variable: they may not have been built since it changed.
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table main_marts.dim_kpi as select 'won_revenue' as kpi, 'GBP' as unit")
    assert "amounts are in GBP" in call("forecast", "--vars", "base_currency: USD", path=path)[1]


def test_a_table_of_an_earlier_version_gets_its_new_column_and_keeps_its_rows(
    call: Call, forecast_of_yesterday: Path, run_dbt: RunDbt
) -> None:
    path, table = forecast_of_yesterday, "main_prediction.prediction_forecast"
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"alter table {table} drop column unit")
    code, _, told = call("forecast", path=path)
    assert code == USAGE and "has no column unit" in told and "dbt build" in told
    before = rows_of(path, f"select * from {table} order by all")
    run_dbt(["run", "--select", "stg_prediction__forecast"], duckdb_path=path)
    assert call("forecast", path=path)[0] == OK
    kept = f"select * exclude (unit) from {table} where unit is null order by all"
    assert rows_of(path, kept) == before
    assert rows_of(path, f"select count(*) from {table} where unit is not null") == [(len(before),)]


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
