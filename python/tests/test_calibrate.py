"""Probabilities of wins: against plain loops, published formulas, other libraries' optima, and companies of known rates."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import RunDbt
from firms import BEGIN, firm, true_rates
from leadlag.calibrate import quality
from leadlag.calibrate.chances import LEAST_OUTCOMES, open_journeys, too_little
from leadlag.calibrate.crm import Percentages
from leadlag.calibrate.judge import JOURNEY, RAW_JOURNEY, RAW_STAGE, STAGE, Record
from leadlag.calibrate.maps import BETA_FROM, CLIP, Map, beta, clip, learn, logit, mapped, no_map, platt
from leadlag.calibrate.shrinkage import LEVELS, alone, towards_all
from leadlag.calibrate.stages import FEW, IS_WON, WITHIN, entries, incidence, stage_probabilities
from leadlag.cli import main
from leadlag.forecast.hazard import _BIN, AGES, EDGES, UNSEEN, Course, _merged
from leadlag.forecast.journeys import CENSORED, ENDED, STAGES, WON, Events, Floats
from leadlag.forecast.store import TABLES
from leadlag.warehouse import Warehouse, connect, find_target
from scipy import optimize, stats

OK, FAILED, USAGE = 0, 1, 2
DAYS = 1_370
END = float(BEGIN + DAYS)


# --- small groups -----------------------------------------------------------------------------------------------------
def test_a_rate_alone_has_jeffreys_interval() -> None:
    found = alone(np.array([3.0, 0.0]), np.array([10.0, 20.0]))
    assert found.rate == pytest.approx([3.5 / 11, 0.5 / 21])
    for place, level in enumerate(LEVELS):
        ends = stats.beta.ppf([(1 - level) / 2, (1 + level) / 2], 3.5, 7.5)
        assert (found.low[place, 0], found.high[place, 0]) == pytest.approx(tuple(ends))


def test_groups_are_drawn_as_the_integral_over_mean_and_weight_says() -> None:
    """The integral on another, even grid; exact quantiles of the mixture of betas."""
    won, size = np.array([3.0, 12.0, 40.0, 0.0]), np.array([40.0, 90.0, 200.0, 5.0])
    mean, spread = np.meshgrid(np.linspace(0.005, 0.6, 120), np.linspace(0.01, 3.0, 200))
    weight = np.maximum(1 / (spread**2 * mean * (1 - mean)) - 1, 0.05)
    logs = -(spread**2) / 2
    for w, n in zip(won, size, strict=True):
        logs = logs + stats.betabinom.logpmf(w, n, mean * weight, (1 - mean) * weight)
    chances = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    kept = chances > 1e-6
    chances, alphas, rests = chances[kept], (mean * weight)[kept], ((1 - mean) * weight)[kept]
    found = towards_all(won, size)
    for group, (w, n) in enumerate(zip(won, size, strict=True)):
        assert found.rate[group] == pytest.approx(chances @ ((alphas + w) / (alphas + rests + n)), abs=0.002)
        share = chances @ ((alphas + rests) / (alphas + rests + n))
        assert found.parent_share[group] == pytest.approx(share, abs=0.02)
        for level, end in ((0.05 / 2, found.low[1, group]), (1 - 0.05 / 2, found.high[1, group])):
            held = chances @ stats.beta.cdf(end, alphas + w, rests + n - w)
            assert held == pytest.approx(level, abs=0.004)


def test_many_cases_speak_for_themselves_and_like_groups_for_each_other() -> None:
    apart = towards_all(np.array([1_000.0, 3_000.0, 1.0]), np.array([10_000.0, 10_000.0, 4.0]))
    assert apart.rate[:2] == pytest.approx([0.1, 0.3], abs=0.002)
    assert apart.parent_share[0] < 0.01 and apart.parent_share[2] > 0.5
    alike = towards_all(np.full(6, 20.0), np.full(6, 200.0))
    assert np.all(alike.parent_share > 0.6) and alike.rate == pytest.approx(np.full(6, 0.1), abs=0.003)
    assert np.all(alike.high[1] - alike.low[1] < 0.75 * (alone(np.full(6, 20.0), np.full(6, 200.0)).high[1] - 0.06))


def test_intervals_of_small_groups_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    held = np.zeros(2)
    for _ in range(60):
        size = np.round(np.exp(rng.uniform(np.log(10), np.log(400), 4)))
        true = 1 / (1 + 9 * np.exp(-rng.normal(0, rng.uniform(0, 0.8), 4)))
        found = towards_all(rng.binomial(size.astype(int), true).astype(np.float64), size)
        held += ((found.low <= true) & (true <= found.high)).mean(axis=1)
    assert held / 60 == pytest.approx([0.82, 0.955], abs=0.05)


# --- cumulative incidence ---------------------------------------------------------------------------------------------
def test_incidence_without_censoring_is_a_share() -> None:
    came, otherwise = np.array([[3.0, 0.0, 2.0]]), np.array([[10.0, 5.0, 0.0]])
    rate, variance = incidence(came, otherwise, np.array([[50.0, 37.0, 32.0]]))
    assert rate[0] == pytest.approx(0.1) and variance[0] == pytest.approx(0.1 * 0.9 / 50)


def test_incidence_by_hand_and_its_variance_by_simulation() -> None:
    # Five stays: won on day 1, followed to day 1, ended on day 2, won on day 3, followed to day 5.
    rate, _ = incidence(
        np.array([[0.0, 1.0, 0.0, 1.0]]), np.array([[0.0, 0.0, 1.0, 0.0]]), np.array([[5.0, 5.0, 3.0, 2.0]])
    )
    assert rate[0] == pytest.approx(1 / 5 + 4 / 5 * 2 / 3 * 1 / 2)
    rng = np.random.default_rng(8)
    draws, size, days = 3_000, 60, 40
    won_at, ended_at, followed = (rng.geometric(chance, (draws, size)) for chance in (0.02, 0.03, 0.02))
    first = np.minimum(np.minimum(won_at, ended_at), followed)
    grid = np.arange(1, days + 1)
    came, otherwise = (
        (at[:, :, None] == grid) & (at == np.minimum(won_at, ended_at))[:, :, None] & (at <= followed)[:, :, None]
        for at in (won_at, np.where(won_at == ended_at, 0, ended_at))
    )
    at_risk = (first[:, :, None] >= grid).sum(axis=1)
    rates, variances = incidence(came.sum(axis=1) * 1.0, otherwise.sum(axis=1) * 1.0, at_risk * 1.0)
    assert rates.var() == pytest.approx(variances.mean(), rel=0.08)


def test_a_journey_that_goes_on_after_an_end_has_not_ended() -> None:
    lost_and_won = [(0, 0), (5, ENDED), (7, 3), (20, WON)]
    lost_and_back = [(1, 1), (4, ENDED), (6, 2)]
    lost = [(2, 0), (9, ENDED)]
    rows = [
        (number, code, time) for number, ones in enumerate((lost_and_won, lost_and_back, lost)) for time, code in ones
    ]
    journey, code, time = (np.array(values) for values in zip(*rows, strict=True))
    days = BEGIN + time.astype(np.float64)
    events = Events(journey, np.zeros_like(journey), code, days, days, np.zeros(len(days)), (("a", "b"),))
    found = entries(events, float(BEGIN + 30))
    told = list(
        zip(*(values.tolist() for values in (found.journey, found.stage, found.days, found.outcome)), strict=True)
    )
    assert told == [
        (0, 0, 20.0, WON),
        (0, 3, 13.0, WON),
        (1, 1, 29.0, CENSORED),
        (1, 2, 24.0, CENSORED),
        (2, 0, 7.0, ENDED),
    ]
    assert entries(events, float(BEGIN + 6)).outcome.tolist() == [ENDED, ENDED, CENSORED]


# --- rates of single journeys -----------------------------------------------------------------------------------------
def test_bins_that_do_not_differ_are_one_and_no_rate_is_0() -> None:
    exposure = np.full(AGES, 1_000.0)
    assert _merged(np.full(AGES, 20.0), exposure) == pytest.approx(np.full(AGES, 0.02))
    exits = np.where(np.arange(AGES) < EDGES[20], 40.0, 0.0)
    found = _merged(exits, exposure)
    late = np.arange(AGES) >= EDGES[20]
    assert found[~late] == pytest.approx(np.full(np.count_nonzero(~late), 0.04))
    assert found[late] == pytest.approx(np.full(np.count_nonzero(late), UNSEEN / exposure[late].sum()))
    assert len(np.unique(_BIN)) == len(EDGES)


def test_the_chance_of_one_journey_is_that_of_many_like_it() -> None:
    rng = np.random.default_rng(1)
    rates = rng.uniform(0, 0.01, (len(STAGES), ENDED + 1, AGES))
    for stage in range(len(STAGES)):
        rates[stage, : stage + 1] = 0.0
    course = Course(rates, 120)
    entry = course.from_entry(WON)
    for days in (30, 120):
        found = course.by_age(WON, days, entry)
        for stage, age in ((0, 0), (0, 700), (2, 33), (4, 5), (4, AGES - 1)):
            waiting = np.zeros((len(STAGES), AGES))
            waiting[stage, age] = 1
            assert found[stage, age] == pytest.approx(
                course.from_open(WON, course.leaving(waiting), entry)[days], rel=1e-9
            )


# --- maps -------------------------------------------------------------------------------------------------------------
def said_and_came(size: int, bend: float = 1.6, shift: float = -0.4) -> tuple[Floats, Any]:
    rng = np.random.default_rng(size)
    said = rng.beta(1.5, 6, size)
    return said, rng.uniform(size=size) < 1 / (1 + np.exp(-(bend * logit(said) + shift)))


def test_maps_are_at_the_optimum_that_scipy_finds() -> None:
    said, came = said_and_came(3_000)
    positives = came.sum()
    target = np.where(came, (positives + 1) / (positives + 2), 1 / (3_000 - positives + 2))
    x, left, right = logit(said), np.log(said), -np.log1p(-said)

    def loss(values: Floats, goal: Floats) -> float:
        return float(np.sum(np.logaddexp(0, values) - goal * values))

    slope, shift = optimize.minimize(lambda w: loss(w[0] * x + w[1], target), [1.0, 0.0], tol=1e-10).x
    found = platt(said, came)
    assert (found.a, found.b, found.c) == pytest.approx((slope, slope, shift), abs=2e-4)
    goal = came.astype(np.float64)
    bounds = [(0, None), (0, None), (None, None)]
    free = optimize.minimize(
        lambda w: loss(w[0] * left + w[1] * right + w[2], goal), [1.0, 1.0, 0.0], bounds=bounds, tol=1e-12
    )
    found = beta(said, came)
    assert (found.a, found.b, found.c) == pytest.approx(tuple(free.x), abs=2e-3)
    # Where the free optimum has a below 0, the nearest that does not fall.
    falls = np.random.default_rng(1).uniform(size=3_000) < 1 / (1 + np.exp(0.1 * left - 3 * right + 3))
    goal = falls.astype(np.float64)
    free = optimize.minimize(
        lambda w: loss(w[0] * left + w[1] * right + w[2], goal), [1.0, 1.0, 0.0], bounds=bounds, tol=1e-12
    )
    found = beta(said, falls)
    assert found.a == 0 < found.b and (found.b, found.c) == pytest.approx(tuple(free.x[1:]), abs=2e-3)
    # What is said the wrong way round is no order to keep: both maps give the rate of all.
    for wrong in (platt(1 - said, came), beta(1 - said, came)):
        assert wrong(np.array([0.1, 0.9])) == pytest.approx(np.full(2, came.mean()), abs=0.002)


def test_a_bent_scale_is_bent_back() -> None:
    said, came = said_and_came(40_000)
    later, came_later = said_and_came(20_001)
    for learnt in (platt, beta):
        mapped = learnt(said, came)(later)
        slope, shift = quality._regressed(mapped, came_later, np.arange(len(later)))
        assert slope.low is not None and slope.high is not None and slope.low < 1 < slope.high
        assert shift.value == pytest.approx(0.0, abs=0.06)
    raw_slope, _ = quality._regressed(later, came_later, np.arange(len(later)))
    assert raw_slope.low is not None and raw_slope.low > 1.5


def test_a_year_is_never_less_probable_than_its_first_quarter() -> None:
    said = {365: np.array([0.5, 0.2]), 90: np.array([0.4, 0.05])}
    found = mapped(said, {90: no_map("few"), 365: Map("platt", 1.0, 1.0, -1.0)})
    assert found[90].tolist() == [0.4, 0.05]
    assert found[365].tolist() == pytest.approx([0.4, 1 / (1 + 4 * np.e)])


@pytest.mark.parametrize(
    ("journeys", "won", "kind", "reason"),
    [
        (49, 20, "none", "outcomes of 49 journeys are known, 50 are needed"),
        (200, 9, "none", "9 journeys were won, 10 are needed"),
        (200, 0, "none", "0 journeys were won"),
        (200, 200, "none", "0 journeys were not won"),
        (200, 50, "platt", None),
        (BETA_FROM - 1, 500, "platt", None),
        (BETA_FROM, 500, "beta", None),
    ],
)
def test_maps_need_outcomes(journeys: int, won: int, kind: str, reason: str | None) -> None:
    rng = np.random.default_rng(2)
    said, came = rng.uniform(0.05, 0.9, journeys), np.arange(journeys) < won
    # Three cases a journey are still one journey.
    found = learn(np.repeat(said, 3), np.repeat(came, 3), np.repeat(np.arange(journeys), 3))
    assert found.kind == kind and (reason or "") in (found.reason or "") and bool(found.reason) == bool(reason)
    if kind == "none":
        assert np.array_equal(found(said), said)


# --- quality ----------------------------------------------------------------------------------------------------------
def plain_ece(said: Floats, came: Any, bins: int) -> float:
    """Bins in the order of what was said, ended where a share k / 15 of all is reached and the next one is higher."""
    edges = [np.quantile(said, k / bins) for k in range(1, bins)]
    total, start = 0.0, -np.inf
    for end in [*edges, np.inf]:
        members = [(p, y) for p, y in zip(said, came, strict=True) if start < p <= end]
        if members:
            gap = sum(p for p, _ in members) / len(members) - sum(y for _, y in members) / len(members)
            total += abs(gap) * len(members) / len(said)
        start = end
    return total


def test_ece_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    for said in (rng.uniform(size=900), rng.choice([0.05, 0.1, 0.4], 700), rng.uniform(size=7)):
        came = rng.uniform(size=len(said)) < said**2
        assert quality.ece(said, came) == pytest.approx(plain_ece(said, came, 15))
        bins = quality.reliability(said, came, np.arange(len(said)))
        assert sum(one.cases for one in bins) == len(said)
        assert sum(abs(one.mean - one.observed) * one.cases for one in bins) / len(said) == pytest.approx(
            quality.ece(said, came)
        )


def test_scores_by_hand() -> None:
    found = quality.metrics(np.array([0.8, 0.4, 0.0, 0.5]), np.array([True, False, True, False]), np.arange(4), 10)
    assert found["brier"].value == pytest.approx((0.04 + 0.16 + 1 + 0.25) / 4)
    # A probability of 0 that comes true is clipped, not infinite.
    assert found["log_loss"].value == pytest.approx(-(np.log(0.8) + np.log(0.6) + np.log(CLIP) + np.log(0.5)) / 4)
    low, high = quality.wilson(np.array([81.0, 0.0]), np.array([263.0, 20.0]))
    assert (low[0], high[0], high[1]) == pytest.approx((0.25529, 0.36621, 0.16113), abs=1e-5)
    assert clip(np.array([0.0, 1.0])).tolist() == [CLIP, 1 - CLIP]
    for came in (np.zeros(4, dtype=bool), np.ones(4, dtype=bool)):
        one_class = quality.metrics(np.array([0.8, 0.4, 0.1, 0.5]), came, np.arange(4), 10)
        assert one_class["calibration_slope"] == one_class["calibration_intercept"] == quality.Metric(None)
    assert quality.metrics(np.full(40, 0.5), np.arange(40) < 19, np.arange(40), 10)["calibration_slope"].value is None
    with pytest.raises(ValueError, match="no cases"):
        quality.metrics(np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64))


def test_a_journey_counts_once_however_often_it_is_judged() -> None:
    said, came = said_and_came(600)
    number = np.arange(600)
    once = quality.metrics(said, came, number)
    often = quality.metrics(np.repeat(said, 4), np.repeat(came, 4), np.repeat(number, 4))
    for name, metric in once.items():
        # Bins are cut at other places between equal numbers.
        assert often[name].value == pytest.approx(metric.value, abs=0.004), name
        if metric.low is not None and metric.high is not None:
            assert (often[name].low, often[name].high) == pytest.approx((metric.low, metric.high), abs=0.012), name
    widths = [one.high - one.low for one in quality.reliability(said, came, number)]
    repeated = quality.reliability(np.repeat(said, 4), np.repeat(came, 4), np.repeat(number, 4))
    assert np.mean([one.high - one.low for one in repeated]) == pytest.approx(np.mean(widths), rel=0.03)


def test_ece_knows_chance_from_error() -> None:
    rng = np.random.default_rng(6)
    beyond, held, slopes = 0, 0, 0
    for _ in range(60):
        said = rng.beta(1, 8, 2_000)
        found = quality.metrics(said, rng.uniform(size=2_000) < said, np.arange(2_000), 100)
        value, chance, slope = found["ece"], found["ece_by_chance"], found["calibration_slope"]
        assert value.value is not None and chance.high is not None and value.low is not None
        assert slope.low is not None and slope.high is not None
        beyond += value.value > chance.high
        held += value.low == 0
        slopes += slope.low <= 1 <= slope.high
    # 2.5 % of right records lie above the range, the intervals of the others begin at 0; that of the slope holds 1.
    assert beyond <= 5 and held >= 57 and slopes >= 53
    wrong = quality.metrics(said, rng.uniform(size=2_000) < said**1.5, np.arange(2_000), 100)
    assert wrong["ece"].low is not None and wrong["ece_by_chance"].high is not None
    assert wrong["ece"].low > 0.02 and wrong["ece"].value is not None
    assert wrong["ece"].value > 2 * wrong["ece_by_chance"].high


def harder_times(seed: int, days: int = 520) -> Events:
    """A company that after 200 days loses two of three deals that it would have won: rates of the past promise too much."""
    events = firm(seed, days)
    lost = (
        (events.code == WON)
        & (events.time > BEGIN + 200)
        & (np.random.default_rng(seed).uniform(size=len(events)) < 2 / 3)
    )
    return replace(events, code=np.where(lost, ENDED, events.code))


# --- as of ------------------------------------------------------------------------------------------------------------
def leaked(events: Events, origin: float) -> Events:
    """The same company with the future written into the past: backdated wins and ends, recorded after the origin."""
    rng = np.random.default_rng(1)
    later = ~events.known_at(origin)
    chosen = later & (rng.uniform(size=len(events)) < 0.5)
    time = np.where(chosen, np.minimum(events.time, origin - rng.uniform(0, 40, len(events))), events.time)
    code = np.where(chosen & (rng.uniform(size=len(events)) < 0.3), WON, events.code)
    order = np.lexsort((code, time, events.journey))
    names = ("journey", "segment", "known", "amount")
    moved = {name: getattr(events, name)[order] for name in names}
    return replace(events, code=code[order], time=time[order], **moved)


def test_what_is_recorded_later_changes_nothing_said_before() -> None:
    events = firm(7, 700, 3)
    origin = float(BEGIN + 500)
    planted = leaked(events, origin)
    assert np.count_nonzero(planted.time != events.time) > 1_000
    assert list(stage_probabilities(events, origin)) == list(stage_probabilities(planted, origin))
    one, other = (open_journeys(some, origin) for some in (events, planted))
    for name in ("journey", "stage", "age"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert all(np.array_equal(one.won[days], other.won[days]) for days in WITHIN)
    ours, theirs = (Record(some, origin, within=(30, 90)) for some in (events, planted))
    assert ours.maps == theirs.maps and len(ours.cases[JOURNEY, "won_30d"]) > 1_000
    for key, cases in ours.cases.items():
        for name, values in vars(cases).items():
            assert np.array_equal(values, getattr(theirs.cases[key], name)), (key, name)
    # The plant is no straw man: whoever looks at it from later sees something else.
    assert entries(events, END).outcome.sum() != entries(planted, END).outcome.sum()


def test_a_map_learns_from_outcomes_that_were_recorded_by_then_only() -> None:
    """Wins entered weeks late: until then every map is that of a company that never had them, and the record has them in the end."""
    events, end, every = harder_times(1), float(BEGIN + 520), 28
    moment = end - 3 * every
    late = (events.code == WON) & (events.time > moment - 120) & (events.time < moment)
    entered_late = replace(events, known=np.where(late, moment + 5, events.known))
    names = ("journey", "segment", "code", "time", "known", "amount")
    never = replace(events, **{name: getattr(events, name)[~late] for name in names})
    ours, theirs = (Record(one, end, every=every, within=(30, 90)) for one in (entered_late, never))
    cases, without = (record.cases[JOURNEY, "won_30d"] for record in (ours, theirs))
    then, then_without = cases.origin <= moment, without.origin <= moment
    assert np.array_equal(cases.probability[then], without.probability[then_without])
    assert np.count_nonzero(cases.outcome[then]) > np.count_nonzero(without.outcome[then_without]) + 20
    # The map of the day, learnt again from the cases whose month was over.
    raw, today = ours.cases[RAW_JOURNEY, "won_30d"], cases.origin == moment
    over = raw.origin + 30 <= moment
    recorded = np.full(int(events.journey.max()) + 1, np.inf)
    won = entered_late.code == WON
    recorded[entered_late.journey[won]] = entered_late.known[won]
    learnt = learn(raw.probability[over], (raw.outcome & (recorded[raw.journey] < moment))[over], raw.journey[over])
    assert learnt.kind != "none"
    assert learnt(raw.probability[today]) == pytest.approx(cases.probability[today], rel=1e-9)


def test_a_map_is_used_while_earlier_ones_did_no_harm() -> None:
    told = set()
    for events in (harder_times(1), firm(1, 520)):
        record = Record(events, float(BEGIN + 520), within=(30, 90))
        for days, learnt in record.maps.items():
            raw, bent = record.cases[RAW_JOURNEY, f"won_{days}d"], record._mapped[days]
            before, after = (quality.log_losses(cases.probability, cases.outcome).sum() for cases in (raw, bent))
            assert (learnt.kind == "none") == (after > before)
            told.add(learnt.reason)
    assert told == {None, "calibration map left out: earlier ones made the log loss worse"}


# --- companies of known rates -----------------------------------------------------------------------------------------
def pooled(seeds: range, days: int) -> dict[tuple[str, str], tuple[Floats, Any, Any]]:
    """Cases of companies with three regions together, journeys of different companies kept apart."""
    found: dict[tuple[str, str], list[tuple[Floats, Any, Any]]] = {}
    for seed in seeds:
        record = Record(firm(seed, days, 3), float(BEGIN + days))
        for key, cases in record.cases.items():
            found.setdefault(key, []).append((cases.probability, cases.outcome, cases.journey + seed * 10_000_000))
    return {key: tuple(np.concatenate(parts) for parts in zip(*ones, strict=True)) for key, ones in found.items()}  # type: ignore[misc]


def assert_calibrated(cases: dict[tuple[str, str], tuple[Floats, Any, Any]]) -> None:
    for model, scope in (
        *((model, f"won_{days}d") for model in (JOURNEY, RAW_JOURNEY) for days in WITHIN),
        *((STAGE, f"won_{days}d_{cut}") for cut in ("total", "region") for days in WITHIN),
    ):
        said, came, journey = cases[model, scope]
        found = quality.metrics(said, came, journey, 50)
        slope = found["calibration_slope"].value
        assert slope is not None and 0.9 <= slope <= 1.1, (model, scope, slope)
        assert said.mean() == pytest.approx(came.mean(), rel=0.05), (model, scope)
        assert (found["ece"].value or 0) < 0.01, (model, scope)


def covered(seeds: range, moments: tuple[float, ...], regions: int) -> tuple[Floats, int]:
    """Share of the true rates of regions that their intervals hold, by level, and how many there are."""
    held = []
    for seed in seeds:
        events = firm(seed, DAYS, regions)
        true = {days: true_rates(seed, regions, days) for days in WITHIN}
        for moment in moments:
            for one in stage_probabilities(events, moment):
                if one.cut_name == "region" and one.outcome == IS_WON:
                    rate = true[one.within][int(one.cut_value.split()[1]), one.stage]
                    held.append([one.intervals[level][0] <= rate <= one.intervals[level][1] for level in LEVELS])
    return np.mean(held, axis=0), len(held)


def test_probabilities_of_known_companies_are_calibrated() -> None:
    cases = pooled(range(3), 900)
    assert_calibrated(cases)
    # What is said of a region's entries is better for being drawn to the total than as counted.
    losses = {model: quality.log_losses(*cases[model, "won_90d_region"][:2]).mean() for model in (STAGE, RAW_STAGE)}
    assert losses[STAGE] <= losses[RAW_STAGE]


def test_intervals_of_known_companies_hold_the_true_rates() -> None:
    share, count = covered(range(3), (float(BEGIN + 420), END), 4)
    assert count == 3 * 2 * 4 * len(STAGES) * len(WITHIN)
    # 240 ends of three companies are not independent: what must not happen is the 61 of 100 of a prior taken for certain.
    assert share[1] > 0.87 and share[0] > 0.68


@pytest.mark.long
def test_probabilities_of_twenty_known_companies_are_calibrated() -> None:
    assert_calibrated(pooled(range(20), DAYS))


@pytest.mark.long
def test_intervals_of_twenty_known_companies_hold_the_true_rates() -> None:
    share, _ = covered(range(20), (float(BEGIN + 420), float(BEGIN + 800), END), 4)
    assert share == pytest.approx([0.80, 0.95], abs=0.04)


# --- too little -------------------------------------------------------------------------------------------------------
def test_a_segment_that_appeared_last_week_is_told_what_is_known_of_the_others() -> None:
    events = firm(12, 600, 3)
    end = float(BEGIN + 600)
    young = np.isin(events.journey, np.unique(events.journey[events.time < end - 7]), invert=True)
    events = replace(
        events,
        segment=np.where(young, 3, events.segment),
        segments=(*events.segments, ("new", "all"), ("none yet", "all")),
    )
    found = {(one.cut_value, one.stage): one for one in stage_probabilities(events, end) if one.outcome == IS_WON}
    total, new, none = (found[name, 0] for name in ("*", "new", "none yet"))
    assert new.entered > 0 and new.total_share is not None and new.total_share > 0.4
    assert none.entered == 0 and none.observed is None and none.reason == "no entries yet: what is known of the others"
    for one in (new, none):
        assert one.probability == pytest.approx(total.probability, rel=0.5)
        assert one.intervals[0.95][1] - one.intervals[0.95][0] > 3 * (
            total.intervals[0.95][1] - total.intervals[0.95][0]
        )
    assert found["new", 2].reason in ("fewer than 30 entries", "no entries yet: what is known of the others")


def test_what_nobody_has_been_followed_for_is_not_said() -> None:
    events = firm(13, 300)
    end = float(BEGIN + 300)
    for one in stage_probabilities(events, end):
        assert (one.probability is None) == (one.within == WITHIN[1])
        if one.probability is None:
            assert not one.intervals and one.reason is not None and "365 are needed" in one.reason
    assert too_little(events, end, 90) is None
    assert "followed for 299 days, 365 are needed" in str(too_little(events, end, 365))
    few = replace(events, code=np.where(np.isin(events.code, (WON, ENDED)) & (events.journey > 40), 0, events.code))
    assert f"{LEAST_OUTCOMES} are needed" in str(too_little(few, end, 90))
    never = replace(events, code=np.where(events.code == WON, ENDED, events.code))
    assert too_little(never, end, 90) == "no journey is known to have been won"
    assert too_little(events, float(BEGIN - 1), 90) == "journeys have been followed for 0 days, 90 are needed"
    assert Record(never, end).judged == 0 and Record(never, end).maps[90].reason is not None


# --- percentages of the CRM --------------------------------------------------------------------------------------------
def test_percentages_are_those_that_stood_then() -> None:
    day = pd.Timestamp("2025-01-01")

    def event(journey: int, deal: int, days: float, known: float, probability: float | None, closed: bool) -> list[Any]:
        stamps = [day + pd.Timedelta(days=days), day + pd.Timedelta(days=known)]
        return [journey, deal, "crm" if deal < 9 else "other", probability, closed, *stamps, 0]

    rows = [
        event(0, 1, 1, 1, 0.2, False),
        event(0, 1, 5, 5, 0.6, False),
        event(0, 1, 6, 30, 0.9, False),  # entered much later
        event(0, 2, 2, 2, 0.4, False),
        event(1, 3, 1, 1, 0.5, False),
        event(1, 3, 8, 8, 0.0, True),
        event(2, 4, 1, 1, None, False),
        event(3, 9, 1, 1, 0.3, None),  # type: ignore[arg-type]
    ]
    names = "journey opportunity_key source_system probability is_closed occurred_at known_at event_sequence".split()
    percentages = Percentages(pd.DataFrame(rows, columns=names), "UTC")
    start = float((day - pd.Timestamp("1970-01-01")).days)

    def at(days: float) -> dict[str, dict[int, float]]:
        found = percentages.at(start + days)
        return {source: dict(zip(*(part.tolist() for part in pair), strict=True)) for source, pair in found.items()}

    assert at(1) == {}
    assert at(4) == {"crm": {0: 0.4, 1: 0.5}, "other": {3: 0.3}}
    assert at(7) == {"crm": {0: 0.6, 1: 0.5}, "other": {3: 0.3}}
    assert at(20) == {"crm": {0: 0.6}, "other": {3: 0.3}}
    assert at(31)["crm"] == {0: 0.9}


# --- the command ----------------------------------------------------------------------------------------------------------
Call = Callable[..., tuple[int, str, str]]
YOUNG = 700


def write_marts(warehouse: Warehouse, events: Events, end: float, percentages: bool = True) -> None:
    """What the command reads, as dbt would have built it of a company, in UTC."""
    known = events.known_at(end)
    journey, code = events.journey[known], events.code[known]
    stamps = [pd.to_datetime(values[known], unit="D").round("us") for values in (events.time, events.known)]
    number, first = np.unique(journey, return_index=True)
    won = np.flatnonzero(code == WON)
    names = np.array([*STAGES, "won", "lost"], dtype=object)[code]
    regions = np.array(events.segments, dtype=object).reshape(-1, 2)[events.segment[known]][first]

    def put(schema: str, table: str, **columns: Any) -> None:
        rows = pa.Table.from_pandas(pd.DataFrame(columns), preserve_index=False)
        fields = [
            pa.field(f.name, pa.timestamp("us") if pa.types.is_timestamp(f.type) else f.type) for f in rows.schema
        ]
        fields = [pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in fields]
        warehouse.create(schema, table, pa.schema(fields))
        warehouse.append(schema, table, rows.cast(pa.schema(fields)))

    marts, inputs = f"{warehouse.schema}_marts", f"{warehouse.schema}_intermediate"
    put(
        marts,
        "fct_stage_event",
        journey_key=journey + 7_000_000_000,
        stage=names,
        occurred_at=stamps[0],
        recorded_at=stamps[1],
        resolution="effective",
        movement=np.where(names == "lost", "outcome", "forward"),
        is_milestone=names != "lost",
    )
    put(
        marts,
        "fct_journey",
        journey_key=number + 7_000_000_000,
        person_key=number + 1,
        region=regions[:, 0],
        product_line=regions[:, 1],
    )
    put(
        marts,
        "fct_opportunity",
        opportunity_key=number,
        journey_key=number + 7_000_000_000,
        amount=1.0,
        amount_base=1.0,
        won_at=pd.Series(stamps[0][won], index=journey[won]).reindex(number).to_numpy(),
        is_counted=True,
    )
    clock = [pd.Timestamp("1970-01-01") + pd.Timedelta(days=end)]
    put(inputs, "int_input__clock", as_of=clock)
    if percentages:
        deals = np.flatnonzero(code == STAGES.index("opportunity"))
        put(
            inputs,
            "int_input__opportunity_stage_event",
            opportunity_key=journey[deals],
            source_system="crm",
            probability=np.where(np.arange(len(deals)) % 9, 0.75, np.nan),
            is_closed=pd.array([None, *[False] * (len(deals) - 1)], dtype="boolean"),
            amount=1.0,
            occurred_at=stamps[0][deals],
            recorded_at=stamps[1][deals],
            known_at=stamps[1][deals],
            event_sequence=0,
        )
    warehouse.finish()


@pytest.fixture
def place(tmp_path: Path, profiles_dir: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a warehouse of its own."""
    settings = {"LEADLAG_TARGET": "duckdb", "LEADLAG_DUCKDB_PATH": str(tmp_path / "leadlag.duckdb")}
    with mock.patch.dict(os.environ, {**settings, "DBT_PROFILES_DIR": str(profiles_dir)}):
        yield settings


@pytest.fixture
def call(place: Mapping[str, str], capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs the command on the warehouse of `place`: exit code, output and errors."""
    assert place

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["calibrate", "--quiet", "--every", "91", "--vars", "{business_timezone: UTC}", *words])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def cells(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Rows without their run, floats to nine digits, in order."""
    run = ("as_of", "model_version")
    kept = [{name: cell for name, cell in row.items() if name not in run} for row in rows]
    cut = [tuple(float(f"{cell:.9g}") if isinstance(cell, float) else cell for cell in row.values()) for row in kept]
    return sorted(cut, key=str)


def read(warehouse: Warehouse, relation: str) -> list[dict[str, Any]]:
    schema, name = relation.split(".")
    columns, found = warehouse.rows(schema, name)
    return [dict(zip(columns, row, strict=True)) for row in found]


@pytest.mark.parametrize("engine", ["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def test_a_run_writes_what_it_prints_and_marts_show_the_newest(
    engine: str, request: pytest.FixtureRequest, place: Mapping[str, str], call: Call, run_dbt: RunDbt
) -> None:
    settings = {**place, "LEADLAG_TARGET": engine}
    if engine == "postgres":
        settings |= request.getfixturevalue("postgres_server")
    events, end = firm(29, YOUNG, 2), float(BEGIN + YOUNG - 30)
    marts = ("stage_probability", "lead_conversion_probability", "calibration_curve", "model_quality")
    tables = ("prediction_stage_probability", "prediction_journey_probability", "prediction_calibration")
    with mock.patch.dict(os.environ, settings):
        with connect(find_target()) as warehouse:
            for raw in ("ads.spend_daily", "hubspot.contact", "product.event", "salesforce.lead", "web.page_view"):
                warehouse.create(*raw.split("."), pa.schema([("id", pa.int64())]))
            warehouse.execute(f"create schema if not exists {warehouse.schema}_policy")
            warehouse.finish()
        # The marts alone: all that they read is written by the command.
        run_dbt(
            ["build", "--select", *(f"+{mart}" for mart in marts)],
            duckdb_path=Path(settings["LEADLAG_DUCKDB_PATH"]),
            environment=settings,
        )
        with connect(find_target()) as warehouse:
            schema = warehouse.schema
            write_marts(warehouse, events, end)
        code, printed, _ = call("--dry-run", "--json")
        told = json.loads(printed)
        if engine == "postgres":
            with mock.patch.dict(os.environ, place):
                with connect(find_target()) as warehouse:
                    write_marts(warehouse, events, end)
                ours = json.loads(call("--dry-run", "--json")[1])
            assert all(cells(told[table]) == cells(rows) for table, rows in ours.items() if table != "notes")
        assert code == OK and set(told) == {*tables, "prediction_model_quality", "notes"}
        with connect(find_target()) as warehouse:
            assert all(read(warehouse, f"{schema}_prediction.{table}") == [] for table in tables)
        code, printed, _ = call()
        assert code == OK and "judged" in printed and "open journeys" in printed
        with connect(find_target()) as warehouse:
            written = {table: read(warehouse, f"{schema}_prediction.{table}") for table in TABLES if table in told}
            for table, rows in written.items():
                expected = told[table]
                for row in rows:
                    row |= {name: str(row[name]) for name in ("window_start", "window_end") if name in row}
                assert cells(rows) == cells(expected) and len(rows) > 30, table
                assert not any(isinstance(cell, float) and np.isnan(cell) for row in rows for cell in row.values())
            # The next day: earlier rows stay, marts show the new ones.
            write_marts(warehouse, events, end + 1)
        assert call()[0] == OK and call()[0] == OK
        with connect(find_target()) as warehouse:
            for table in written:
                both = read(warehouse, f"{schema}_prediction.{table}")
                assert len({row["as_of"] for row in both}) == 2
                mart = dict(zip((*tables, "prediction_model_quality"), marts, strict=True))[table]
                shown = read(warehouse, f"{schema}_marts.{mart}")
                newest = max(row["as_of"] for row in both)
                assert cells(shown) == cells([row for row in both if row["as_of"] == newest]) and len(shown) < len(both)
            # Another model that ran on an earlier day is still there with its own newest run.
            for day, value in ((1, 0.6), (2, 0.7)):
                warehouse.execute(
                    f"insert into {schema}_prediction.prediction_model_quality (as_of, model_version, model, scope, metric, value) "
                    f"values (timestamp '2020-01-0{day}', 'x 1', 'other', 'all', 'auc', {value})"
                )
            warehouse.finish()
            others = [row for row in read(warehouse, f"{schema}_marts.model_quality") if row["model"] == "other"]
            assert [row["value"] for row in others] == [0.7]


def test_open_journeys_are_all_there_with_what_the_model_says(call: Call) -> None:
    events, end = firm(34, YOUNG, 2), float(BEGIN + YOUNG)
    with connect(find_target()) as warehouse:
        write_marts(warehouse, events, end, percentages=False)
    told = json.loads(call("--json", "--dry-run")[1])
    rows = pd.DataFrame(told["prediction_journey_probability"])
    last = pd.DataFrame({"journey": events.journey, "code": events.code, "time": events.time})[events.known_at(end)]
    last = last.groupby("journey").last()
    last = last[last["code"] < WON]
    rows = rows.set_index(rows["journey_key"] - 7_000_000_000).sort_index()
    assert rows.index.tolist() == last.index.tolist() and (rows["person_key"] == rows.index + 1).all()
    assert rows["stage"].tolist() == [STAGES[code] for code in last["code"]]
    assert rows["days_in_stage"].tolist() == np.floor(end - last["time"]).astype(int).tolist()
    assert (rows["probability_90d"] <= rows["probability"]).all()
    assert (rows["raw_probability_90d"] <= rows["raw_probability"]).all() and rows["raw_probability_90d"].min() > 0
    # Stages nearer to a win are worth more, and what the CRM said is missed aloud.
    by_stage = rows.groupby("stage")["probability"].mean()[list(STAGES)]
    assert by_stage.is_monotonic_increasing and by_stage["opportunity"] > 3 * by_stage["inquiry"]
    assert any("crm_percentage is not judged: there is no main_intermediate" in note for note in told["notes"])
    # Entries can be counted again in the events.
    counts = {
        (row["stage"], row["within_days"]): row
        for row in told["prediction_stage_probability"]
        if row["cut_name"] == "total" and row["outcome"] == "won"
    }
    going_on = {
        (row["stage"], row["within_days"]): row["outcome_count"]
        for row in told["prediction_stage_probability"]
        if row["cut_name"] == "total" and row["outcome"] == "next_stage"
    }
    frame = pd.DataFrame({"journey": events.journey, "code": events.code, "time": events.time})[events.known_at(end)]
    following = frame.groupby("journey")[["code", "time"]].shift(-1)
    known = events.known_at(end) & (events.time >= end - 730)
    wins = pd.Series(
        events.time[events.known_at(end) & (events.code == WON)],
        events.journey[events.known_at(end) & (events.code == WON)],
    )
    for number, stage in enumerate(STAGES):
        here = known & (events.code == number)
        delay = wins.reindex(events.journey[here]).to_numpy() - events.time[here]
        for days in WITHIN:
            assert counts[stage, days]["entry_count"] == np.count_nonzero(here) > FEW
            assert counts[stage, days]["outcome_count"] == np.count_nonzero(delay < days)
            on = (frame["code"] == number) & (frame["time"] >= end - 730) & (following["code"] <= WON)
            assert going_on[stage, days] == np.count_nonzero(on & (following["time"] - frame["time"] < days))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("drop table main_marts.fct_opportunity", "there is no main_marts.fct_opportunity; run `dbt build`"),
        ("alter table main_marts.fct_journey drop column person_key", "fct_journey has no column person_key"),
        ("delete from main_marts.fct_stage_event", "has no journeys to"),
    ],
)
def test_marts_that_are_missing_are_named(call: Call, change: str, message: str) -> None:
    with connect(find_target()) as warehouse:
        write_marts(warehouse, firm(23, 120), float(BEGIN + 120))
        warehouse.execute(change)
    code, _, told = call()
    assert code == FAILED and message in told


def test_a_company_without_outcomes_is_told_what_is_missing(call: Call) -> None:
    events = firm(23, 400)
    never = replace(events, code=np.where(events.code == WON, ENDED, events.code))
    for company, end, message in (
        (events, float(BEGIN + 60), "followed for 59 days, 90 are needed"),
        (never, float(BEGIN + 400), "no journey is known to have been won"),
    ):
        with connect(find_target()) as warehouse:
            write_marts(warehouse, company, end)
        code, printed, _ = call()
        assert code == OK and "nothing is said yet" in printed and message in printed
    with connect(find_target()) as warehouse:
        assert warehouse.tables("main_prediction") == set()
    # Half a year: 90 days can be said but not yet judged, a year not even said.
    with connect(find_target()) as warehouse:
        write_marts(warehouse, events, float(BEGIN + 120))
    code, printed, _ = call("--json")
    told = json.loads(printed)
    assert code == OK and told["prediction_model_quality"] == told["prediction_calibration"] == []
    assert any("nothing is judged yet" in note for note in told["notes"])
    for row in told["prediction_journey_probability"]:
        assert row["probability"] is None and 0 < row["probability_90d"] < 1
        assert "within 365 days: journeys have been followed for 119 days, 365 are needed" in row["reason"]
    assert call("--origins", "0")[0] == USAGE
