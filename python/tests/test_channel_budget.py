"""Budget by channel: what the last unit of money brought, and the allocation, against pandas and a general optimiser."""

import os
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import RunDbt
from leadlag.cli import OK, main
from scipy import optimize

Z = 1.959963984540054
CHANNELS = ("paid_search", "paid_social", "display", "affiliate")
RESPONSE = "main_intermediate.int_attribution__channel_response"

BUDGET = ["int_attribution__judged_response", "channel_budget"]

Run = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture(scope="module")
def run(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """run(models, table=frame, ...): the models on these tables, as a warehouse open for reading."""
    path = tmp_path_factory.mktemp("budget") / "leadlag.duckdb"
    with mock.patch.dict(os.environ, {"LEADLAG_DUCKDB_PATH": str(path), "LEADLAG_TARGET": "duckdb"}):
        assert main(["simulate", "--leads", "10", "--quiet", "--profiles-dir", str(profiles_dir)]) == OK
    run_dbt(["seed", "--select", "channel_budget_rule", "channel_experiment"], duckdb_path=path)

    def run(models: list[str], **tables: pd.DataFrame) -> duckdb.DuckDBPyConnection:
        with duckdb.connect(str(path)) as connection:
            for name, frame in tables.items():
                place = (
                    "main_marts"
                    if name.startswith("fct_")
                    else "main_policy"
                    if name.startswith("channel_")
                    else "main_intermediate"
                )
                connection.execute(f"create schema if not exists {place}")
                connection.register("frame", frame)
                connection.execute(f"create or replace table {place}.{name} as from frame")
                connection.unregister("frame")
        run_dbt(["run", "--select", *models], duckdb_path=path)
        return duckdb.connect(str(path), read_only=True)

    return run


def response(rows: list[tuple[float, float, float]], elasticity: float = 0.3) -> pd.DataFrame:
    """Channels by spend, marginal return and its standard error."""
    frame = pd.DataFrame(rows, columns=["spend_base", "marginal_return", "marginal_standard_error"], dtype=float)
    day = pd.Timestamp("2025-01-01").date()
    return frame.assign(
        channel=[f"channel {number}" for number in range(len(rows))],
        attribution_model="linear",
        milestone="won",
        window_from=day,
        window_to=day,
        bound_share=0.3,
        gross_margin=1.0,
        elasticity=elasticity,
        elasticity_standard_error=0.1,
        basis="correlational",
    )


def best(spend: np.ndarray, marginal: np.ndarray, elasticity: float) -> np.ndarray:
    """The allocation that a general optimiser finds: the most margin from the same total within 30 % of each."""
    scale = marginal * spend ** (1 - elasticity) / elasticity
    found = optimize.minimize(
        lambda share: -np.sum(scale * (share * spend) ** elasticity) / np.sum(scale * spend**elasticity),
        np.ones(len(spend)),
        bounds=[(0.7, 1.3)] * len(spend),
        constraints={"type": "eq", "fun": lambda share: np.sum(share * spend) / np.sum(spend) - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    assert found.success, found.message
    return np.asarray(found.x * spend)


def shrunk(frame: pd.DataFrame) -> np.ndarray:
    """Returns drawn towards their mean: random effects with the moment estimator of DerSimonian and Laird."""
    value, variance = frame["marginal_return"].to_numpy(), frame["marginal_standard_error"].to_numpy() ** 2
    weight = 1 / variance
    q = np.sum(weight * (value - np.average(value, weights=weight)) ** 2)
    between = max(0, (q - len(value) + 1) / (weight.sum() - (weight**2).sum() / weight.sum()))
    mean = np.average(value, weights=1 / (variance + between))
    return np.asarray(mean + (value - mean) * between / (between + variance))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_recommendation_is_the_best_within_bounds(run: Run, seed: int) -> None:
    chance = np.random.default_rng(seed)
    count, elasticity = 7, [0.1, 0.3, 0.8][seed - 1]
    spend = chance.uniform(1_000, 50_000, count)
    # Some meet a bound, others lie between; all differ beyond doubt.
    marginal = np.exp(chance.normal(0, 0.15 if seed < 3 else 0.03, count))
    rows = [(amount, value, 1e-4) for amount, value in zip(spend, marginal, strict=True)]
    with run(BUDGET, int_attribution__channel_response=response(rows, elasticity)) as warehouse:
        ours = warehouse.execute("select * from main_marts.channel_budget order by channel").df()
    assert not ours["is_within_noise"].any()
    recommended = ours["recommended_spend"].to_numpy()
    assert recommended.sum() == pytest.approx(spend.sum(), rel=1e-9)
    assert recommended == pytest.approx(best(spend, shrunk(response(rows)), elasticity), rel=2e-3)
    change = ours["recommended_change"]
    assert (
        change.abs().max() <= 0.3 + 1e-9 and (change.abs() < 0.299).any() and ours["expected_margin_change"].sum() > 0
    )


def test_nothing_moves_within_noise(run: Run) -> None:
    spend = [1_000.0, 2_000.0, 4_000.0]
    noisy = response([(amount, value, 0.4) for amount, value in zip(spend, (0.5, 0.9, 1.2), strict=True)])
    with run(BUDGET, int_attribution__channel_response=noisy) as warehouse:
        rows = warehouse.execute(
            "select is_within_noise, recommended_spend from main_marts.channel_budget order by channel"
        )
        assert rows.fetchall() == [(True, pytest.approx(amount)) for amount in spend]
    # One that is known to lose money gives to those that can hardly be told apart.
    one = response([(1_000, -0.5, 0.01), (2_000, 0.9, 0.2), (4_000, 1.1, 0.2)])
    with run(BUDGET, int_attribution__channel_response=one) as warehouse:
        ours = warehouse.execute("select * from main_marts.channel_budget order by channel").df()
    assert not ours["is_within_noise"].any() and ours["recommended_spend"].sum() == pytest.approx(7_000)
    assert ours["recommended_change"][0] == pytest.approx(-0.3)
    assert ours["judged_return"].to_numpy() == pytest.approx(shrunk(one), rel=1e-9)
    with run(BUDGET, int_attribution__channel_response=response([(1_000, 0.5, 0.1)])) as warehouse:
        rows = warehouse.execute("select is_within_noise, recommended_spend from main_marts.channel_budget")
        assert rows.fetchall() == [(True, pytest.approx(1_000))]


def test_responses_are_those_of_monthly_changes_or_of_the_last_experiment(run: Run) -> None:
    chance = np.random.default_rng(4)
    months = pd.date_range("2023-01-01", "2025-12-01", freq="MS")
    spend_rows, credit_rows, value_rows = [], [], []
    for channel in CHANNELS:
        for month in months:
            amount = float(chance.uniform(500, 5_000))
            if channel == "display" and month.month == 8:
                continue
            spend_rows.append((channel, month + pd.Timedelta(days=3), amount))
            leads = 3 * amount**0.5 * np.exp(chance.normal(0, 0.1))
            credit_rows.append(("linear", "mql", channel, len(credit_rows), month + pd.Timedelta(days=9), leads))
            for _ in range(chance.poisson(2)):
                key = len(credit_rows)
                credit_rows.append(
                    ("linear", "won", channel, key, month + pd.Timedelta(days=20), float(chance.uniform(0.2, 1)))
                )
                value_rows.append((key, float(chance.uniform(500, 3_000))))
    # A row in a currency without a rate, and a channel that brought nothing.
    spend_rows += [("affiliate", pd.Timestamp("2025-05-05"), None), ("offline", pd.Timestamp("2025-05-05"), 700.0)]
    spend = pd.DataFrame(spend_rows, columns=["channel", "spend_date", "amount_base"])
    credit = pd.DataFrame(
        credit_rows, columns=["attribution_model", "milestone", "channel", "journey_key", "converted_date", "credit"]
    )
    value = pd.DataFrame(value_rows, columns=["journey_key", "gross_margin"])
    experiment = pd.DataFrame(
        [
            ("display", "2024-05-01", 1000, 900, 90),
            ("display", "2025-05-01", -2000, -500, 150),
            ("display", "2027-01-01", 1, 9, 1),
        ],
        columns=["channel", "ended_on", "spend_change", "margin_change", "margin_standard_error"],
    ).assign(ended_on=lambda frame: pd.to_datetime(frame["ended_on"]).dt.date)
    clock = pd.DataFrame(
        [(pd.Timestamp("2025-11-15 12:00"), pd.Timestamp("2025-11-15").date())], columns=["as_of", "as_of_date"]
    )
    models = [f"int_attribution__{name}" for name in ("spend_month", "elasticity", "channel_response")]
    for frame in (spend, credit):
        for column in frame.columns[frame.columns.str.endswith("_date")]:
            frame[column] = frame[column].dt.date
    with run(
        models,
        int_engagement__spend=spend,
        fct_attribution_credit=credit,
        int_attribution__conversion_value=value,
        channel_experiment=experiment,
        int_input__clock=clock,
    ) as warehouse:
        ours = warehouse.execute(f"select * from {RESPONSE}").df().set_index("channel")
        elasticity = warehouse.execute("select * from main_intermediate.int_attribution__elasticity").df().iloc[0]

    # Whole months up to October.
    by_month = [
        pd.to_datetime(frame[day]).dt.to_period("M")
        for frame, day in ((spend, "spend_date"), (credit, "converted_date"))
    ]
    x = spend.groupby(["channel", by_month[0].rename("month")])["amount_base"].sum()
    y = credit[credit["milestone"] == "mql"].groupby(["channel", by_month[1].rename("month")])["credit"].sum()
    logs = np.log(
        pd.DataFrame({"x": x, "y": y})[lambda frame: frame.index.get_level_values("month") < "2025-11"].dropna()
    )
    steps = logs.groupby(level="channel").diff().dropna()
    slope = (steps["x"] * steps["y"]).sum() / (steps["x"] ** 2).sum()
    variance = ((steps["y"] - slope * steps["x"]) ** 2).sum() / (len(steps) - 1) / (steps["x"] ** 2).sum()
    assert elasticity["month_count"] == len(steps)
    assert elasticity["estimated_elasticity"] == pytest.approx(slope) and abs(slope - 0.5) < 0.05
    assert elasticity["estimated_standard_error"] == pytest.approx(np.sqrt(variance))
    precision = 1 / 0.12**2, 1 / variance
    mean = (0.24 * precision[0] + slope * precision[1]) / sum(precision)
    assert elasticity["elasticity"] == pytest.approx(mean)
    assert elasticity["standard_error"] == pytest.approx(sum(precision) ** -0.5)

    inside = {"spend_date": spend, "converted_date": credit}
    for day, frame in inside.items():
        dates = pd.to_datetime(frame[day])
        inside[day] = frame[(dates >= "2024-10-01") & (dates < "2025-10-01")]
    won = inside["converted_date"][lambda frame: frame["milestone"] == "won"].merge(value, on="journey_key")
    won["margin"] = won["credit"] * won["gross_margin"]
    one_event = (won.groupby(["channel", "journey_key"])["margin"].sum() ** 2).mean()
    assert set(ours.index) == {*CHANNELS, "offline"}
    for channel in ours.index:
        row = ours.loc[channel]
        amount = inside["spend_date"].loc[inside["spend_date"]["channel"] == channel, "amount_base"].sum()
        margin = won.loc[won["channel"] == channel, "margin"]
        assert row["spend_base"] == pytest.approx(amount) and row["gross_margin"] == pytest.approx(margin.sum())
        if channel == "display":
            assert row["basis"] == "experiment"
            assert (row["marginal_return"], row["marginal_standard_error"]) == pytest.approx((0.25, 0.075))
            continue
        assert row["basis"] == "correlational"
        assert row["marginal_return"] == pytest.approx(mean * margin.sum() / amount)
        error = np.sqrt(mean**2 * max((margin**2).sum(), one_event) + margin.sum() ** 2 / sum(precision)) / amount
        assert row["marginal_standard_error"] == pytest.approx(error)

    nothing = credit[credit["milestone"] == "mql"]
    with run([*models, *BUDGET], fct_attribution_credit=nothing, channel_experiment=experiment[2:]) as warehouse:
        rows = warehouse.execute(
            "select spend_base, marginal_return_low, is_within_noise, recommended_spend from main_marts.channel_budget"
        )
        for amount, low, is_within_noise, recommended in rows.fetchall():
            assert is_within_noise and recommended == pytest.approx(amount) and low is None
