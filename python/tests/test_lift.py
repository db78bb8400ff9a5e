"""What meeting a channel changes: against planted effects, a real experiment, and channels that only harvest."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import RunDbt
from leadlag.cli import FAILED, OK, main
from leadlag.forecast.store import TABLES
from leadlag.lift.cases import STAGES, Lift, Rule, cases_of, corrected, lift_of
from leadlag.lift.command import row_of
from leadlag.lift.estimate import Bools, Effect, Floats, Ints, effect, holm, incremental_auc
from leadlag.score.quality import auc_gain
from sklearn.metrics import roc_auc_score

AS_OF = datetime(2025, 12, 31, 12)
RULE = Rule("win_week_2", 1, "channel", 14, "won", 180, 50, 10, 0.01, 0.5, 0.25)


def expit(score: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-score)))


# --- the estimator ------------------------------------------------------------------------------------------------------


def test_holm_adjusts_as_published() -> None:
    # Four p-values step by step: 4 x .005, 3 x .01, 2 x .03, and .04 not below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


def test_where_lots_were_drawn_nothing_is_adjusted() -> None:
    """Without confounding: the difference of two proportions and its textbook standard error."""
    rng = np.random.default_rng(1)
    x, treated = rng.normal(size=(8_000, 3)), rng.random(8_000) < 0.4
    outcome = rng.random(8_000) < np.where(treated, 0.22, 0.15)
    found = effect(x, treated, outcome, np.arange(8_000), 0.01)
    arms = outcome[treated], outcome[~treated]
    assert found.lift == pytest.approx(arms[0].mean() - arms[1].mean(), abs=0.001)
    assert found.standard_error == pytest.approx(np.sqrt(sum(arm.var() / len(arm) for arm in arms)), rel=0.03)
    assert found.overlap == 1 and found.imbalance < 0.02
    # Nor does it look more certain for a hundred columns that know nothing: who is judged has taught nothing.
    few, useless = slice(400), rng.normal(size=(400, 100))
    noisy = effect(useless, treated[few], outcome[few], np.arange(400), 0.01)
    plain = effect(useless[:, :1], treated[few], outcome[few], np.arange(400), 0.01)
    assert noisy.standard_error > 0.98 * plain.standard_error
    # Every case told twice is no new person.
    twice = [np.repeat(values, 2, axis=0) for values in (x, treated, outcome, np.arange(8_000))]
    again = effect(twice[0], twice[1], twice[2], twice[3], 0.01)
    assert again.standard_error == pytest.approx(found.standard_error, rel=0.01)


def planted(seed: int, size: int = 4_000) -> tuple[tuple[Floats, Bools, Bools, Ints], float]:
    """Confounded cases, and the true average effect on them: who is likely to be treated is likely to convert anyway."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(size, 4))
    drawn = x @ np.array([0.8, 0.5, -0.4, 0.0])
    treated = rng.random(size) < expit(drawn - 0.7)
    chances = [expit(drawn + 0.3 * x[:, 3] - 2.2 + step) for step in (0, 0.3)]
    outcome = rng.random(size) < np.where(treated, chances[1], chances[0])
    return (x, treated, outcome, np.arange(size)), float((chances[1] - chances[0]).mean())


def studied(seeds: range, bound: float = 0.01) -> dict[str, float]:
    """Means over seeds of truth, naive difference, estimate, and how often its 95 % interval held the truth."""
    rows = []
    for seed in seeds:
        (x, treated, outcome, person), truth = planted(seed)
        found = effect(x, treated, outcome, person, bound)
        low, high = found.interval(0.95)
        naive = outcome[treated].mean() - outcome[~treated].mean()
        rows.append((truth, naive, found.lift, low <= truth <= high))
    return dict(zip(("truth", "naive", "lift", "coverage"), np.mean(rows, axis=0), strict=True))


def test_a_planted_effect_is_found_through_confounding() -> None:
    found = studied(range(16))
    assert found["naive"] > 4 * found["truth"] > 0.1
    assert found["lift"] == pytest.approx(found["truth"], abs=0.012)
    assert found["coverage"] >= 13 / 16


@pytest.mark.long
def test_intervals_hold_as_often_as_they_say() -> None:
    """docs/attribution.md has the figures."""
    found = studied(range(300))
    print(found)
    assert found["lift"] == pytest.approx(found["truth"], abs=0.003)
    # Three standard errors of a share of .95 in 300.
    assert abs(found["coverage"] - 0.95) < 0.04


def test_who_cannot_be_compared_shows() -> None:
    (x, _, outcome, person), _ = planted(1)
    treated = np.where(np.abs(x[:, 0]) > 0.3, x[:, 0] > 0, person % 2 == 0)
    found = effect(x, treated, outcome, person, 0.05)
    assert found.overlap < 0.6 and found.imbalance > 0.1
    # Where nobody can be compared nothing is said.
    nobody = effect(x, x[:, 0] > 0, outcome, person, 0.4)
    assert nobody.overlap < 0.1 and 0 < nobody.arm < 150
    assert np.isnan(effect(x[:, :1], person % 4 == 0, outcome, person, 0.4).lift)
    with pytest.raises(ValueError, match="one arm"):
        effect(x, np.ones(len(x), dtype=bool), outcome, person, 0.05)
    with pytest.raises(ValueError, match="one length"):
        effect(x[1:], treated, outcome, person, 0.05)
    # Nothing known, and an arm in which nothing happened: rates, not errors.
    bare = effect(x[:, :0], person % 2 == 0, person % 4 == 0, person, 0.05)
    assert bare.lift == pytest.approx(0.5, abs=1e-3)


def test_a_real_experiment_is_recovered_from_a_biased_sample(shared_data: Path) -> None:
    """Hillstrom's e-mail: lots were drawn, so the effect on visits is known. Of those who got the e-mail mostly the good customers are
    kept, of the others the bad ones."""
    every = pd.read_csv(shared_data / "hillstrom" / "hillstrom_email_data.csv.gz")
    every = every[every["segment"].isin(["Mens E-Mail", "No E-Mail"])].reset_index(drop=True)
    mailed, visited = (every["segment"] == "Mens E-Mail").to_numpy(), (every["visit"] == 1).to_numpy()
    truth = visited[mailed].mean() - visited[~mailed].mean()
    assert truth == pytest.approx(0.18276 - 0.10617, abs=1e-4)
    known = every[["recency", "mens", "womens", "newbie"]].assign(spent=np.log1p(every["history"]))
    known = known.join(pd.get_dummies(every[["zip_code", "channel"]], drop_first=True))
    x = known.to_numpy(dtype=np.float64)
    good = expit(1.2 * (known["spent"] - known["spent"].mean()).to_numpy() - 0.25 * (known["recency"] - 6).to_numpy())
    kept = np.random.default_rng(1).random(len(every)) < np.where(mailed, good, 1 - good)
    found = effect(x[kept], mailed[kept], visited[kept], np.arange(kept.sum()), 0.01)
    naive = visited[kept & mailed].mean() - visited[kept & ~mailed].mean()
    low, high = found.interval(0.95)
    assert naive - truth > 0.03 and low <= truth <= high and high - low < 0.03


def test_the_gain_in_auc_has_the_spread_that_it_says() -> None:
    rng = np.random.default_rng(5)
    gains, errors = [], []
    for _ in range(300):
        outcome = rng.random(400) < 0.3
        reference = outcome + rng.normal(size=400)
        score = 0.5 * reference + 0.5 * outcome + rng.normal(size=400) * 0.5
        found = auc_gain(outcome, score, reference)
        assert found is not None
        gains.append(found[0])
        errors.append(found[1])
    assert found[0] == pytest.approx(roc_auc_score(outcome, score) - roc_auc_score(outcome, reference), abs=1e-12)
    assert np.mean(errors) == pytest.approx(np.std(gains), rel=0.1)
    assert auc_gain(np.array([True, False, False]), np.arange(3.0), np.arange(3.0)) is None


def test_what_a_treatment_adds_is_judged_on_later_cases_of_others() -> None:
    rng = np.random.default_rng(6)
    size = 6_000
    x, treated, time = rng.normal(size=(size, 2)), rng.random(size) < 0.4, rng.random(size)
    person = np.arange(size)

    def gain(in_effect: Bools) -> tuple[float, float]:
        outcome = rng.random(size) < expit(-1 + x[:, 0] + 1.5 * (treated & in_effect))
        found = incremental_auc(x, treated, outcome, person, time)
        assert found is not None
        return found

    value, error = gain(np.ones(size, dtype=bool))
    assert value - 2 * error > 0.02
    # What it did until lately says nothing of what it does now.
    value, error = gain(time < 0.65)
    assert value - 2 * error < 0
    value, error = gain(np.zeros(size, dtype=bool))
    assert abs(value) < 2 * error + 0.002
    # With cases of known persons alone nothing is left to judge by.
    assert incremental_auc(x, treated, treated, person % 50, time) is None


# --- cases --------------------------------------------------------------------------------------------------------------


def journey(
    key: int, entered: datetime, won: float | None = None, ended: float | None = None, **columns: Any
) -> dict[str, Any]:
    """A journey of person key, won and ended so many days after it entered."""

    def after(days: float | None) -> datetime | None:
        return None if days is None else entered + timedelta(days=days)

    return {
        **{
            "journey_key": key,
            "person_key": key,
            "entered_at": entered,
            "ended_at": after(ended),
            "employee_count": None,
        },
        **dict.fromkeys(f"{stage}_at" for stage in STAGES),
        **{"lead_source": "web", "region": "EMEA", "product_line": None, "journey_type": "first", "entry_stage": "mql"},
        "won_at": after(won),
        **columns,
    }


def test_a_case_is_who_was_still_open_at_the_landmark_and_has_had_its_window() -> None:
    day = datetime(2025, 1, 1)
    late = AS_OF - timedelta(days=14 + 180)
    journeys = pd.DataFrame(
        [
            journey(1, day, won=100),
            journey(2, day, won=14),  # at the landmark: no case
            journey(3, day, won=14.001),
            journey(4, day, ended=14),
            journey(5, day, ended=15),  # lost within the window: a case that did not convert
            journey(6, day, won=14 + 180),
            journey(7, day, won=14 + 180.001),
            journey(8, late, won=20),
            journey(9, late + timedelta(seconds=1), won=20),  # its window is not over
        ]
    )
    touches = pd.DataFrame(
        [(1, "email", 0, 2), (3, "email", 1, 0), (5, "event", 0, 1), (9, "event", 0, 1), (2, "rare", 0, 1)],
        columns=["journey_key", "name", "before", "within"],
    )
    cases = cases_of(journeys, touches, RULE, AS_OF)
    assert cases.person.tolist() == [1, 3, 5, 6, 7, 8]
    assert cases.outcome.tolist() == [True, True, False, True, False, True]
    # What came before the entry is background, not treatment.
    assert cases.names == ("email", "event", "rare")
    assert cases.met[:, :2].T.tolist() == [
        [True, False, False, False, False, False],
        [False, False, True, False, False, False],
    ]
    assert cases.met_before[:, 0].tolist() == [False, True, False, False, False, False]
    # Who skipped the milestone has reached it with the next one.
    skipped = cases_of(journeys, touches, replace(RULE, milestone="opportunity"), AS_OF)
    assert skipped.outcome.tolist() == cases.outcome.tolist()


def drawn_company(seed: int, kind: str, size: int = 4_000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Journeys and touches of a company in which an event makes 25 % more win, and paid search does nothing: it meets those who want
    to buy.

    kind: where it shows who wants to buy: in source or size, what is known of the journey; before, in the channel of the touch before
    entry; beside, in a webinar of the same days; hidden, nowhere. late: paid search meets them after the landmark. noise: nothing has to
    do with anything.
    """
    rng = np.random.default_rng(seed)
    wants, event, email = rng.random(size) < 0.3, rng.random(size) < 0.3, rng.random(size) < 0.5
    searches = rng.random(size) < np.where(wants, 0.7, 0.1)
    wins = rng.random(size) < 0.08 + 0.25 * event + 0.3 * wants
    if kind == "noise":
        wins, searches = rng.random(size) < 0.15, rng.random(size) < 0.3
    rows = [
        journey(
            number,
            datetime(2024, 1, 1) + timedelta(days=int(rng.integers(0, 500))),
            won=90.0 if wins[number] else None,
            ended=90.0,
            lead_source="demo_request" if wants[number] and kind in ("source", "late") else "web",
            employee_count=10 if wants[number] and kind == "size" else 1_000,
        )
        for number in range(size)
    ]
    met = {"event": event, "email": email, "paid_search": searches if kind != "late" else rng.random(size) < 0.001}
    if kind == "noise":
        met |= {f"channel {number}": rng.random(size) < 0.2 for number in range(5)}
    if kind == "beside":
        met["webinar"] = wants
    touches = [(int(key), name, 0, 1) for name, who in met.items() for key in np.flatnonzero(who)]
    if kind == "before":
        touches += [(key, "email" if wants[key] else "direct", 1, 0) for key in range(size)]
    return pd.DataFrame(rows), pd.DataFrame(touches, columns=["journey_key", "name", "before", "within"])


def lifts(seed: int, kind: str) -> dict[str, Lift]:
    cases = cases_of(*drawn_company(seed, kind), RULE, AS_OF)
    return {one.name: one for one in corrected([lift_of(cases, number) for number in range(len(cases.names))])}


def known(one: Lift) -> Effect:
    assert one.effect is not None and one.reason is None
    return one.effect


@pytest.mark.parametrize("kind", ["source", "size", "before", "beside", "hidden", "late"])
def test_a_harvester_is_exposed_where_what_draws_it_is_recorded(kind: str) -> None:
    """docs/attribution.md has the table."""
    found = lifts(1, kind)
    low, high = known(found["event"]).interval(0.95)
    assert low <= 0.25 <= high and (found["event"].p_value_holm or 0) < 0.001
    search = found["paid_search"]
    if kind == "late":
        # Whom it meets after the landmark it has not met by then.
        assert (search.reason, search.effect, search.p_value_holm) == ("too_few_cases", None, None)
        return
    assert (search.naive_difference or 0) > 0.1
    low, high = known(search).interval(0.95)
    # Nothing tells what nobody recorded.
    assert low > 0.1 if kind == "hidden" else low <= 0 <= high and high - low < 0.1


def test_noise_names_no_channel() -> None:
    for seed in range(3):
        assert all((one.p_value_holm or 0) > 0.05 for one in lifts(seed, "noise").values())


@pytest.mark.long
def test_noise_names_a_channel_as_seldom_as_said() -> None:
    named = sum(any((one.p_value_holm or 0) < 0.05 for one in lifts(seed, "noise").values()) for seed in range(200))
    print(f"{named} of 200")
    assert named <= 20


def test_a_channel_that_cannot_be_judged_has_a_reason() -> None:
    journeys, touches = drawn_company(2, "source")
    few = touches[(touches["name"] != "email") | (touches["journey_key"] < 60)]
    cases = cases_of(journeys, few, RULE, AS_OF)
    email = lift_of(cases, cases.names.index("email"))
    assert email.treated_count < 50 and (email.reason, email.effect) == ("too_few_cases", None)
    strict = lift_of(replace(cases, rule=replace(RULE, minimum_conversions=2_000)), 1)
    assert (strict.reason, strict.effect) == ("too_few_conversions", None)
    alone = replace(RULE, propensity_bound=0.2, minimum_overlap=0.9)
    apart = lift_of(replace(cases, rule=alone), cases.names.index("paid_search"))
    assert apart.reason == "too_little_overlap" and apart.effect is not None and apart.effect.overlap < 0.9
    uneven = lift_of(replace(cases, rule=replace(RULE, maximum_imbalance=0.001)), cases.names.index("paid_search"))
    assert uneven.reason == "not_balanced"
    assert [one.p_value_holm for one in corrected([apart, uneven])] == [None, None]
    # Nobody has entered long enough ago.
    nobody = cases_of(journeys, touches, RULE, datetime(2024, 1, 1))
    empty = lift_of(nobody, 0)
    assert (empty.case_count, empty.reason, empty.naive_difference) == (0, "too_few_cases", None)


@pytest.mark.parametrize(
    ("lift", "gain", "is_vanity"),
    [
        (0.01, (0.0, 0.01), True),
        (0.01, (-0.05, 0.01), True),
        (0.05, (0.0, 0.01), False),
        (-0.05, (0.0, 0.01), False),
        (0.01, (0.05, 0.01), False),
        (0.01, None, None),
    ],
)
def test_vanity_has_neither_a_lift_nor_a_gain(
    lift: float, gain: tuple[float, float] | None, is_vanity: bool | None
) -> None:
    cases = cases_of(*drawn_company(2, "source"), RULE, AS_OF)
    one = Lift("email", 100, 50, 20, 10, Effect(lift, 0.01, 1.0, 0.0, 50), gain, 1.0)
    assert row_of(RULE, cases, one, 0.95)["is_vanity"] is is_vanity
    assert row_of(RULE, cases, replace(one, reason="not_balanced", p_value_holm=None), 0.95)["is_vanity"] is None


# --- the command --------------------------------------------------------------------------------------------------------


@contextmanager
def warehouse_at(path: Path) -> Iterator[None]:
    with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
        yield


def test_the_mart_has_what_the_command_found(
    run_dbt: RunDbt, profiles_dir: Path, warehouse: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--profiles-dir", str(profiles_dir), "--quiet"]
    journeys, touches = drawn_company(1, "source", 1_500)
    with warehouse_at(warehouse):
        # No dbt command of this project runs without raw tables.
        assert main(["simulate", "--leads", "10", *options]) == OK
        assert main(["lift", *options]) == FAILED
        assert "there is no main_marts.fct_journey; run `dbt build` first" in capsys.readouterr().err
    run_dbt(["seed", "--select", "lift_rule"], duckdb_path=warehouse)
    with duckdb.connect(str(warehouse)) as connection:
        times = ", ".join(f"cast({name}_at as timestamp) as {name}_at" for name in ("entered", "ended", *STAGES))
        connection.execute(
            f"""
            create schema main_marts; create schema main_intermediate;
            create table main_marts.fct_journey as
                select * exclude (employee_count) replace ({times}), journey_key as account_key from journeys;
            create table main_marts.dim_account as select journey_key as account_key, employee_count from journeys;
            create table main_marts.fct_touchpoint as
                -- A touch in the second of the entry is not after it, bots have no say, and what follows the landmark is no treatment.
                select journey_key, name as channel, 'web' as touchpoint_type, 'person' as traffic,
                    entered_at::timestamp + interval 2 day as occurred_at
                from touches inner join journeys using (journey_key)
                union all select journey_key, 'form', 'form', 'person', entered_at::timestamp + interval 900 millisecond from journeys
                union all select journey_key, 'email', 'email', 'bot', entered_at::timestamp + interval 1 day from journeys
                union all select journey_key, 'event', 'event', 'person', entered_at::timestamp + interval 1209601 second from journeys;
            create table main_intermediate.int_input__clock as select timestamp '{AS_OF}' as as_of;
            delete from main_policy.lift_rule where lift_rule <> 'win_week_2';
            """
        )
    with warehouse_at(warehouse):
        assert main(["lift", *options, "--dry-run"]) == OK
        assert main(["lift", *options]) == OK and main(["lift", *options]) == OK
    said = capsys.readouterr().out
    assert "4 rows in main_prediction.prediction_channel_lift" in said and "within noise" in said
    run_dbt(["run", "--select", "+channel_lift,config.materialized:view"], duckdb_path=warehouse)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        cursor = connection.execute("select * from main_marts.channel_lift")
        names = [column[0] for column in cursor.description or []]
        rows = {
            row["treatment_value"]: row for row in (dict(zip(names, row, strict=True)) for row in cursor.fetchall())
        }
    assert names == TABLES["prediction_channel_lift"].names
    cases = cases_of(journeys, touches, RULE, AS_OF)
    counted = {name: int(cases.met[:, number].sum()) for number, name in enumerate(cases.names)}
    assert {name: row["treated_count"] for name, row in rows.items()} == {**counted, "form": 0}
    assert {(row["case_count"], row["conversion_count"]) for row in rows.values()} == {(1_500, cases.outcome.sum())}
    assert {name: (row["reason"], row["is_within_noise"], row["is_vanity"]) for name, row in rows.items()} == {
        "email": (None, True, True),
        "event": (None, False, False),
        "paid_search": (None, True, True),
        "form": ("too_few_cases", None, None),
    }
    assert rows["event"]["auc_gain_low"] > 0 > rows["email"]["auc_gain_low"]
    assert rows["event"]["lift_low"] < 0.25 < rows["event"]["lift_high"]
    assert {rows["form"][name] for name in ("naive_difference", "lift", "p_value_holm", "auc_gain", "overlap")} == {
        None
    }
