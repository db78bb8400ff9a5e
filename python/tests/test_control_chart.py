"""Control charts and effects of organisational changes: published examples, a second implementation, and planted truth.

One warehouse holds every case as a KPI of its own, each series as a cut value: fct_kpi, the definitions and the two
policies are written by hand, dbt builds everything behind them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from conftest import RunDbt
from contract_build import ContractBuild, load_raw
from leadlag.compare import compare, read_marts
from leadlag.warehouse import opened
from scipy import stats

Values = npt.NDArray[np.float64]
WEEK = timedelta(days=7)
FIRST = date(1990, 1, 1)
MARTS = ("kpi_control_chart", "org_change_effect")
STEPS = "int_kpi__control_*"
# Mean range of two standard normal values, to as many digits as tables of control charts give.
D2 = 1.128

# Montgomery, Introduction to Statistical Quality Control, table 7.1: cans of orange juice that leak, of 50. Samples 15 and
# 23 are those that the book takes out of the limits, and are put at the end here.
CANS = (12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 8, 10, 5, 13, 11, 20, 18, 15, 9, 12, 7, 13, 9, 6, 22, 24)
# Table 7.7: nonconformities on 100 printed circuit boards. Samples 6 and 20 likewise at the end.
BOARDS = (21, 24, 16, 12, 15, 28, 20, 31, 25, 20, 24, 16, 19, 10, 17, 13, 22, 18, 30, 24, 16, 19, 17, 15, 5, 39)
# Mohammed et al. (2013), doi 10.1136/bmjqs-2012-001373: attendances seen within 4 hours, of all, in 20 weeks.
SEEN = (
    *(266501, 264225, 276532, 281461, 269071, 261215, 270409, 279778, 270483, 270320),
    *(267923, 271478, 255353, 256820, 261835, 259144, 255910, 260863, 264465, 260989),
)
ATTENDED = (
    *(280443, 276823, 291681, 296155, 282343, 275888, 283867, 295251, 284468, 282529),
    *(279618, 283932, 266629, 268091, 276803, 271578, 266005, 273520, 278574, 273772),
)
# NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2: flow rate of ten batches.
FLOW = (49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1)


@dataclass(frozen=True)
class Case:
    """A KPI with a chart: series by cut value, each a row of values a period, or of (numerators, denominators)."""

    kpi: str
    statistic: str
    series: Mapping[str, Any]
    chart_type: str = "auto"
    baseline_periods: int = 24
    minimum_periods: int = 3
    minimum_expected: float = 0
    effect_periods: int = 3
    nelson_rules: str = "1|2"
    # Positions of periods that are not mature, or of too little volume.
    immature: Sequence[int] = ()
    unreliable: Sequence[int] = ()
    changed_at: Sequence[date] = ()
    # Region that the changes are made in.
    changed_in: str = "*"


def day_of(position: int) -> date:
    """First day of the period at a position; the series begins a period earlier."""
    return FIRST + (position + 1) * WEEK


def fct_rows(case: Case) -> pd.DataFrame:
    """fct_kpi of a case. A period goes before the first: in a real series it may be a part of one."""
    frames = []
    for cut_value, given in case.series.items():
        numerators, denominators = given if case.statistic in ("rate", "mean") else (given, None)
        numerator = np.concatenate([[1e6], np.asarray(numerators, float)])
        denominator = None if denominators is None else np.concatenate([[2e6], np.asarray(denominators, float)])
        value = (
            numerator
            if denominator is None
            else np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)
        )
        starts = [day_of(number - 1) for number in range(len(numerator))]
        frames.append(
            pd.DataFrame(
                {
                    "kpi": case.kpi,
                    "period_start": starts,
                    "next_period_start": [start + WEEK for start in starts],
                    "cut_name": "total" if cut_value == "(all)" else "region",
                    "cut_value": cut_value,
                    "numerator": numerator,
                    "denominator": np.nan if denominator is None else denominator,
                    "value": value,
                    "volume": 100,
                    "is_reliable": [number - 1 not in case.unreliable for number in range(len(numerator))],
                    "is_mature": [number - 1 not in case.immature for number in range(len(numerator))],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def inputs(cases: Sequence[Case]) -> dict[str, pd.DataFrame]:
    """The relations that dbt finds built, by schema ending and name."""
    rows = pd.concat([fct_rows(case) for case in cases], ignore_index=True)
    rows = rows.assign(kpi_value_key=range(len(rows)), version=1, variant="global", period_grain="week")
    charts = [
        {
            "kpi": case.kpi,
            "cut_name": "total" if "(all)" in case.series else "region",
            "period_grain": "week",
            "chart_type": case.chart_type,
            "baseline_periods": case.baseline_periods,
            "minimum_periods": case.minimum_periods,
            "minimum_expected": float(case.minimum_expected),
            "effect_periods": case.effect_periods,
            "nelson_rules": case.nelson_rules,
        }
        for case in cases
    ]
    changes = [
        {
            "org_change": f"{case.kpi} {number}",
            "changed_on": changed_on,
            "region": case.changed_in,
            "product_line": "*",
            "kpi": case.kpi,
            "description": "planted",
            "owner": "somebody",
        }
        for case in cases
        for number, changed_on in enumerate(case.changed_at, start=1)
    ]
    definitions = pd.DataFrame(
        {
            "kpi": [case.kpi for case in cases],
            "version": 1,
            "variant": "global",
            "statistic": [case.statistic for case in cases],
            "scope_region": "*",
            "scope_product_line": "*",
        }
    )
    return {
        "marts.fct_kpi": rows,
        "intermediate.int_kpi__definition": definitions,
        "policy.control_chart": pd.DataFrame(charts),
        "policy.org_change": pd.DataFrame(changes),
    }


@dataclass(frozen=True)
class Built:
    chart: pd.DataFrame
    effect: pd.DataFrame

    def of(self, kpi: str, cut_value: str | None = None) -> pd.DataFrame:
        """Rows of a KPI in kpi_control_chart in order of their series and time."""
        found = self.chart[self.chart.kpi == kpi]
        found = found if cut_value is None else found[found.cut_value == cut_value]
        assert len(found) > 0, kpi
        return found.sort_values(["cut_value", "period_start"]).reset_index(drop=True)

    def alarmed(self, kpi: str) -> "pd.Series[float]":
        """By series: whether any period signals."""
        return self.of(kpi).groupby("cut_value").is_signal.any()


Build = Callable[[Sequence[Case], Mapping[str, str]], None]


@pytest.fixture(scope="module")
def build(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Build:
    project = ContractBuild(run_dbt, tmp_path_factory.mktemp("control_chart"))

    def run(cases: Sequence[Case], environment: Mapping[str, str]) -> None:
        schema = environment.get("LEADLAG_SCHEMA", "main")
        settings = {**environment, "DBT_PROFILES_DIR": str(profiles_dir)}
        with mock.patch.dict(os.environ, settings), opened(environment["LEADLAG_TARGET"]) as warehouse:
            for name, frame in inputs(cases).items():
                ending, relation = name.split(".")
                found = pa.Schema.from_pandas(frame, preserve_index=False)
                types = [pa.string() if pa.types.is_large_string(kind) else kind for kind in found.types]
                schema_of = pa.schema(zip(found.names, types, strict=True))
                table = pa.Table.from_pandas(frame, schema_of, preserve_index=False)
                warehouse.create(f"{schema}_{ending}", relation, table.schema)
                warehouse.append(f"{schema}_{ending}", relation, table)
                if "version" in frame:
                    warehouse.execute(f"alter table {schema}_{ending}.{relation} alter column version type integer")
            warehouse.finish()
        run_dbt(
            [
                *("build", "--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"),
                *("--select", *MARTS, STEPS),
            ],
            duckdb_path=Path(environment["LEADLAG_DUCKDB_PATH"]),
            project_dir=project.project_dir,
            environment=environment,
        )

    return run


def reading(environment: Mapping[str, str], profiles_dir: Path) -> Any:
    return mock.patch.dict(os.environ, {**environment, "DBT_PROFILES_DIR": str(profiles_dir)})


@pytest.fixture(scope="module")
def duckdb_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("warehouse") / "leadlag.duckdb"
    return {"LEADLAG_TARGET": "duckdb", "LEADLAG_SCHEMA": "main", "LEADLAG_DUCKDB_PATH": str(path)}


@pytest.fixture(scope="module")
def built(build: Build, duckdb_environment: dict[str, str], profiles_dir: Path) -> Built:
    build(CASES, duckdb_environment)
    with reading(duckdb_environment, profiles_dir), opened("duckdb") as warehouse:
        frames = [warehouse.query(f"select * from main_marts.{mart}") for mart in MARTS]
    for frame in frames:
        for column in frame.columns:
            if column.endswith(("_start", "_on")):
                frame[column] = pd.to_datetime(frame[column]).dt.date
    return Built(*frames)


# Cases ---------------------------------------------------------------------------------------------------------------


def standard(values: Sequence[float] | Values) -> Values:
    """A baseline of mean 0 and moving range 1.128, so that z of what follows is the value itself."""
    return np.concatenate([np.tile([-D2 / 2, D2 / 2], 2), np.asarray(values, float)])


def rule_series(number: int) -> Values:
    """200 points of a kind in which some of the eight patterns come up often, with ties in every third."""
    random = np.random.default_rng(number)
    kind = number % 6
    if kind == 0:
        points = random.normal(size=200)
    elif kind == 1:
        points = random.normal(scale=np.repeat(random.choice([0.25, 1.0, 1.8], 8), 25))
    elif kind == 2:
        points = random.normal(scale=0.6, size=200) + np.repeat(random.normal(scale=1.2, size=10), 20)
    elif kind == 3:
        points = np.abs(random.normal(size=200)) * np.tile([1.0, -1.0], 100)
        points[random.integers(0, 200, 6)] *= -1
    elif kind == 4:
        points = np.cumsum(random.normal(scale=0.4, size=200)) % 5 - 2.5
    else:
        points = np.sign(random.normal(size=200)) * random.uniform(0.8, 2.4, 200)
    return np.round(points * 2) / 2 if number % 3 == 0 else points


def overdispersed(random: np.random.Generator, periods: int, size: int = 5000) -> tuple[Values, Values]:
    """A rate of 10 % that moves by one percentage point from period to period."""
    rate = np.clip(random.normal(0.1, 0.01, periods), 0.001, 0.999)
    return random.binomial(size, rate).astype(float), np.full(periods, float(size))


def many(make: Callable[[np.random.Generator], Any], seed: int, number: int = 200) -> dict[str, Any]:
    return {f"{n:03d}": make(np.random.default_rng([seed, n])) for n in range(number)}


RULE_SERIES = {f"{number:02d}": rule_series(number) for number in range(26)}
STABLE = many(lambda random: random.normal(50, 4, 48), 1)
RATES = many(lambda random: overdispersed(random, 226), 2)
COUNTS = many(lambda random: random.negative_binomial(100, 100 / (100 + 200), 226).astype(float), 3)
ALL_RULES = "|".join(str(rule) for rule in range(1, 9))
# The level rises by 8 sigma with the 31st period, the first after day 3 of the 30th.
RISEN = {
    region: np.concatenate([random.normal(100, 2, 30), random.normal(116, 2, 30)])
    for region, random in {"EMEA": np.random.default_rng(5), "APAC": np.random.default_rng(6)}.items()
}
REORGANISED = day_of(29) + timedelta(days=3)
BEFORE, AFTER = (20.0, 23.0, 19.0, 25.0, 22.0, 21.0), (27.0, 31.0, 24.0, 30.0)


def averages(values: Sequence[float]) -> dict[str, Any]:
    """The total of a mean: every value over one row."""
    return {"(all)": (values, [1] * len(values))}


CASES = (
    Case("cans", "rate", {"(all)": (CANS, [50] * 30)}, "p", baseline_periods=28),
    Case("boards", "count", {"(all)": BOARDS}, "u", baseline_periods=24),
    Case("attendances", "rate", {"(all)": (SEEN, ATTENDED)}, baseline_periods=20),
    Case("flow", "mean", averages(FLOW), baseline_periods=10),
    Case(
        "rules", "sum", {key: standard(z) for key, z in RULE_SERIES.items()}, baseline_periods=4, nelson_rules=ALL_RULES
    ),
    Case("some_rules", "sum", {"05": standard(RULE_SERIES["05"])}, baseline_periods=4, nelson_rules="5|8"),
    # Processes that do not change.
    Case("stable", "sum", STABLE),
    Case("stable_long", "sum", many(lambda random: random.normal(50, 4, 224), 1), baseline_periods=200),
    Case("rates", "rate", RATES, baseline_periods=200, nelson_rules="1"),
    Case("rates_p", "rate", RATES, "p", baseline_periods=200, nelson_rules="1"),
    Case("counts", "count", COUNTS, baseline_periods=200, nelson_rules="1"),
    Case("counts_u", "count", COUNTS, "u", baseline_periods=200, nelson_rules="1"),
    Case("still_rates", "rate", many(lambda random: overdispersed(random, 48), 6), changed_at=[day_of(24)]),
    Case("still_sums", "sum", many(lambda random: random.normal(50, 4, 30), 7), changed_at=[day_of(24)]),
    # One that does.
    Case("risen", "sum", RISEN, baseline_periods=20),
    Case("reorganised", "sum", RISEN, baseline_periods=20, changed_at=[REORGANISED], changed_in="EMEA"),
    Case("whole", "sum", {"(all)": RISEN["EMEA"]}, baseline_periods=20, changed_at=[REORGANISED], changed_in="EMEA"),
    Case("shorter", "sum", {key: values[:45] for key, values in RISEN.items()}, baseline_periods=20),
    Case("twice", "sum", {"(all)": RISEN["EMEA"]}, changed_at=[REORGANISED, REORGANISED + timedelta(days=2)]),
    Case("long_ago", "sum", {"(all)": RISEN["EMEA"]}, changed_at=[FIRST - WEEK]),
    Case("just_now", "sum", {"(all)": RISEN["EMEA"]}, changed_at=[day_of(58)]),
    # Newcombe (1998), table II, first example: 56/70 against 48/80.
    Case("newcombe", "rate", {"(all)": ([12, 12, 24, 16, 16, 24], [20, 20, 40, 20, 20, 30])}, changed_at=[day_of(3)]),
    Case("welch", "mean", averages((*BEFORE, *AFTER)), changed_at=[day_of(len(BEFORE))]),
    # What cannot be charted.
    Case("gap", "sum", {"(all)": RISEN["EMEA"]}, immature=[35]),
    Case("holes", "rate", {"(all)": ([5] * 12 + [0] + [6, 4] * 15, [50] * 12 + [0] + [50] * 30)}, unreliable=[3, 30]),
    Case("few", "sum", {"(all)": BOARDS[:11]}, minimum_periods=12),
    Case("trial", "sum", {"(all)": BOARDS[:12]}, minimum_periods=12),
    Case("flat", "sum", {"(all)": [7.0] * 30}),
    Case("never", "rate", {"(all)": ([0] * 30, [500] * 30)}),
    Case("rare", "rate", {"(all)": ([0, 1] * 15, [100] * 30)}, minimum_expected=5),
    Case("clipped", "rate", {"(all)": ([19, 16, 20] * 10, [20] * 30)}, "p"),
)


# Tests ---------------------------------------------------------------------------------------------------------------


def limits(rows: pd.DataFrame, position: int) -> tuple[float, float, float]:
    row = rows.iloc[position]
    return row.lower_limit, row.centre_line, row.upper_limit


def test_published_charts_come_out(built: Built) -> None:
    """Limits as printed; the two samples that each book takes out are the ones that signal."""
    cans, boards = built.of("cans"), built.of("boards")
    assert limits(cans, 0) == pytest.approx((0.0407, 0.2150, 0.3893), abs=5e-5)
    assert limits(boards, 0) == pytest.approx((6.3625, 19.6667, 32.9708), abs=5e-5)
    for chart in (cans, boards):
        assert (
            list(chart.index[chart.is_tested]) == list(chart.index[chart.is_signal]) == [len(chart) - 2, len(chart) - 1]
        )
        assert set(chart.signalled_rules.dropna()) == {"1"}

    attendances = built.of("attendances")
    assert limits(attendances, 0) == pytest.approx((0.9401296442, 0.9528997113, 0.9656697785), abs=5e-11)
    binomial = np.sqrt(attendances.centre_line * (1 - attendances.centre_line) / np.array(ATTENDED))
    assert (attendances.sigma / binomial).to_numpy() == pytest.approx(10.6404219, abs=5e-8)

    # The handbook rounds the mean moving range to 1.8778 and 1.128 is as here.
    assert limits(built.of("flow"), 0) == pytest.approx((45.8159, 50.81, 55.8041), abs=2e-4)


def patterns(z: Sequence[float]) -> list[set[int]]:
    """Rules that a point completes, for each point, read off Nelson (1984) one stretch at a time."""
    found: list[set[int]] = []
    for end in range(1, len(z) + 1):

        def last(points: int, end: int = end) -> list[float]:
            return list(z[end - points : end]) if end >= points else []

        now, signals = z[end - 1], set()
        if abs(now) > 3:
            signals.add(1)
        for side in (1, -1):
            nine, six = [side * x for x in last(9)], [side * x for x in last(6)]
            if nine and min(nine) > 0:
                signals.add(2)
            if six and all(later > earlier for earlier, later in pairwise(six)):
                signals.add(3)
            # Where there are not yet three or five points, those that there are must do.
            three, five = [side * x for x in z[max(end - 3, 0) : end]], [side * x for x in z[max(end - 5, 0) : end]]
            if side * now > 2 and len([x for x in three if x > 2]) >= 2:
                signals.add(5)
            if side * now > 1 and len([x for x in five if x > 1]) >= 4:
                signals.add(6)
        fourteen = last(14)
        ups = [later > earlier for earlier, later in pairwise(fourteen)]
        moves = all(later != earlier for earlier, later in pairwise(fourteen))
        if fourteen and moves and all(one != other for one, other in pairwise(ups)):
            signals.add(4)
        fifteen, eight = last(15), last(8)
        if fifteen and max(abs(x) for x in fifteen) < 1:
            signals.add(7)
        if eight and min(abs(x) for x in eight) > 1:
            signals.add(8)
        found.append(signals)
    return found


def rules_of(signalled: Any) -> set[int]:
    return set() if pd.isna(signalled) else {int(rule) for rule in signalled.split("|")}


def test_the_eight_rules_agree_with_a_second_implementation(built: Built) -> None:
    points, seen = 0, dict.fromkeys(range(1, 9), 0)
    for cut_value, z in RULE_SERIES.items():
        tested = built.of("rules", cut_value)[4:]
        assert tested.z.to_numpy() == pytest.approx(z)
        expected = patterns(z)
        assert [rules_of(text) for text in tested.signalled_rules] == expected, cut_value
        assert list(tested.is_signal) == [bool(signals) for signals in expected]
        points += len(tested)
        for rule in seen:
            seen[rule] += sum(rule in signals for signals in expected)
    assert points == 5200
    assert min(seen.values()) >= 20, seen


def test_policy_names_the_rules_that_signal(built: Built) -> None:
    of_all = [rules_of(text) & {5, 8} for text in built.of("rules", "05").signalled_rules]
    assert [rules_of(text) for text in built.of("some_rules", "05").signalled_rules] == of_all
    assert any(of_all)


def alarms(z: Values, rules: str) -> npt.NDArray[np.bool_]:
    """By series (row): rule 1 or rule 2 holds somewhere."""
    found = (np.abs(z) > 3).any(axis=1)
    if "2" in rules:
        nine = np.lib.stride_tricks.sliding_window_view(z, 9, axis=1)
        found |= ((nine > 0).all(axis=2) | (nine < 0).all(axis=2)).any(axis=1)
    return np.asarray(found)


def theory(baseline: int, tested: int, rules: str) -> float:
    """Share of stable normal series that alarm when limits come from a baseline of moving ranges."""
    points = np.random.default_rng(0).normal(size=(20_000, baseline + tested))
    first, later = points[:, :baseline], points[:, baseline:]
    sigma = np.abs(np.diff(first)).mean(axis=1, keepdims=True) / D2
    return float(alarms((later - first.mean(axis=1, keepdims=True)) / sigma, rules).mean())


def most(share: float, number: int = 200) -> float:
    """What a share seen in so many series exceeds once in a thousand times."""
    return float(stats.binom.ppf(0.999, number, share) / number)


@pytest.mark.parametrize(
    ("kpi", "baseline", "tested", "rules"),
    [("stable", 24, 24, "12"), ("stable_long", 200, 24, "12"), ("rates", 200, 26, "1"), ("counts", 200, 26, "1")],
)
def test_stable_series_alarm_no_more_than_theory_says(
    built: Built, kpi: str, baseline: int, tested: int, rules: str
) -> None:
    assert (built.of(kpi).groupby("cut_value").is_tested.sum() == tested).all()
    share, expected = built.alarmed(kpi).mean(), theory(baseline, tested, rules)
    assert 0 < share <= most(expected), (share, expected)


def test_charts_that_trust_the_law_alone_alarm_on_what_spreads_more(built: Built) -> None:
    """The same stable rates and counts: without Laney's factor hardly a series is left in peace."""
    assert built.alarmed("rates_p").mean() > 0.95
    assert built.alarmed("counts_u").mean() > 0.8


def test_a_change_that_is_known_restarts_the_baseline_and_one_that_is_not_signals(built: Built) -> None:
    for region in RISEN:
        assert built.of("risen", region)[30:].is_signal.all()
        assert not built.of("risen", region)[:30].is_signal.any()

    changed = built.of("reorganised", "EMEA")
    assert not changed.is_signal.any()
    assert list(changed.phase_number) == [1] * 30 + [2] * 30
    assert changed.not_tested_reason[29] == "an organisational change lies in the period"
    assert list(changed.index[changed.is_tested]) == [*range(20, 29), *range(50, 60)]
    assert changed.baseline_start[30] == day_of(30) and set(changed.last_changed_on[30:]) == {REORGANISED}
    assert changed.centre_line[30] == pytest.approx(RISEN["EMEA"][30:50].mean())

    # A change in one region starts neither another region nor the total again.
    for other in (built.of("reorganised", "APAC"), built.of("whole")):
        assert set(other.phase_number) == {1} and other[30:].is_signal.all()


COMPARED = [
    *("period_start", "value", "centre_line", "sigma", "lower_limit", "upper_limit", "z"),
    *("is_tested", "not_tested_reason", "signalled_rules", "phase_number"),
]


def test_nothing_later_changes_an_earlier_verdict(built: Built) -> None:
    for region in RISEN:
        longer, shorter = built.of("risen", region)[:45], built.of("shorter", region)
        pd.testing.assert_frame_equal(longer[COMPARED], shorter[COMPARED], rtol=1e-12)
        # Nor does a tested value move its own limits: they are those of the first 20 alone.
        first = RISEN[region][:20]
        assert longer.centre_line.to_numpy() == pytest.approx(first.mean())
        assert longer.sigma.to_numpy() == pytest.approx(np.abs(np.diff(first)).mean() / D2)


def test_what_cannot_be_judged_is_not(built: Built) -> None:
    # A period that matures later than its successors would shift what is frozen: the chart ends before it.
    assert len(built.of("gap")) == 35

    holes = built.of("holes")
    reasons = {position: holes.not_tested_reason[position] for position in (3, 12, 30)}
    assert reasons == {3: "volume below the minimum", 12: "no value", 30: "volume below the minimum"}
    assert holes.z[list(reasons)].isna().all()
    assert holes.is_baseline.sum() == 24 and holes.is_tested.idxmax() == 26
    assert not holes.is_tested[30]

    for kpi, reason in {
        "few": "too few periods in the baseline",
        "flat": "no variation in the baseline",
        "never": "no variation in the baseline",
        "rare": "too few events expected",
    }.items():
        chart = built.of(kpi)
        assert set(chart.not_tested_reason) == {reason}, kpi
        assert chart[["centre_line", "sigma", "lower_limit", "upper_limit", "z"]].isna().all(axis=None), kpi
        assert not chart.is_signal.any()

    trial = built.of("trial")
    assert set(trial.not_tested_reason) == {"in the baseline"} and trial.centre_line.notna().all()

    clipped = built.of("clipped")
    assert (clipped.upper_limit == 1).all() and (clipped.lower_limit > 0).all()


def effect(built: Built, kpi: str) -> pd.DataFrame:
    return built.effect[built.effect.kpi == kpi].sort_values(["cut_value", "org_change"])


def test_effects_are_the_published_differences(built: Built) -> None:
    (newcombe,) = effect(built, "newcombe").itertuples()
    assert newcombe.overdispersion == 1
    assert (newcombe.periods_before, newcombe.periods_after) == (3, 3)
    assert newcombe.difference == pytest.approx(0.2)
    assert (round(newcombe.difference_low, 4), round(newcombe.difference_high, 4)) == (0.0524, 0.3339)

    (welch,) = effect(built, "welch").itertuples()
    expected = stats.ttest_ind(AFTER, BEFORE, equal_var=False).confidence_interval(0.95)
    assert welch.difference == pytest.approx(np.mean(AFTER) - np.mean(BEFORE))
    assert (welch.difference_low, welch.difference_high) == pytest.approx((expected.low, expected.high), rel=1e-3)
    assert welch.is_significant and welch.interval_method == "welch"


def test_a_planted_effect_is_found_where_it_is(built: Built) -> None:
    (row,) = effect(built, "reorganised").itertuples()
    assert row.cut_value == "EMEA" and row.is_significant
    # The last 20 full periods before, the first 20 after.
    assert (row.before_start, row.after_start) == (day_of(9), day_of(30))
    assert row.difference == pytest.approx(RISEN["EMEA"][30:50].mean() - RISEN["EMEA"][9:29].mean())
    assert row.difference_low < 16 < row.difference_high
    assert "whole" not in set(built.effect.kpi)


@pytest.mark.parametrize("kpi", ["still_rates", "still_sums"])
def test_changes_without_effect_are_rarely_significant(built: Built, kpi: str) -> None:
    share = effect(built, kpi).is_significant.astype(bool).mean()
    assert 0 < share <= most(0.05), share


def test_effects_say_what_they_cannot(built: Built) -> None:
    twice = effect(built, "twice")
    assert list(twice.other_changes) == [1, 1] and twice.difference.nunique() == 1
    assert set(built.of("twice").phase_number) == {1, 2}

    for kpi, periods in {"long_ago": (0, 24), "just_now": (24, 2)}.items():
        (row,) = effect(built, kpi).itertuples()
        assert (row.periods_before, row.periods_after) == periods
        assert row.no_interval_reason == "too few periods"
        assert pd.isna(row.difference) and pd.isna(row.difference_low) and pd.isna(row.is_significant)
    assert set(built.of("long_ago").phase_number) == {1}


@pytest.mark.long
def test_postgresql_gives_the_same_charts(
    built: Built,
    build: Build,
    duckdb_environment: dict[str, str],
    postgres_server: dict[str, str],
    profiles_dir: Path,
) -> None:
    postgres = {**duckdb_environment, **postgres_server, "LEADLAG_TARGET": "postgres", "LEADLAG_SCHEMA": "charts"}
    build(CASES, postgres)
    marts = {}
    for environment in (duckdb_environment, postgres):
        with reading(environment, profiles_dir), opened(environment["LEADLAG_TARGET"]) as warehouse:
            marts[environment["LEADLAG_TARGET"]] = read_marts(warehouse, MARTS)
    assert len(marts["postgres"]["kpi_control_chart"].rows) == len(built.chart) > 100_000
    assert compare(marts) == []


BROKEN = """
    delete from main_policy.control_chart;
    insert into main_policy.control_chart values
        ('wins', 'total', 'month', 'laney_u', 24, 12, 5, 3, '1|2'),
        ('winz', 'total', 'month', 'auto', 24, 12, 5, 3, '1|2'),
        ('wins', 'region x lead_source', 'week', 'auto', 52, 26, 5, 3, '1'),
        ('wins', 'region', 'month', 'p', 24, 12, 5, 3, '1'),
        ('*', 'region', 'month', 'u', 24, 12, 5, 3, '1'),
        ('*', 'total', 'day', 'auto', 24, 12, 5, 3, '1'),
        ('mqls', 'total', 'month', 'auto', 24, 25, 5, 3, '1'),
        ('mqls', 'total', 'week', 'auto', 24, 12, 5, 2, '1'),
        ('sqls', 'total', 'month', 'auto', 24, 12, 5, 3, '1|9'),
        ('sqls', 'total', 'week', 'auto', 24, 12, 5, 3, '12'),
        ('sals', 'total', 'week', 'auto', 24, 12, 5, 3, null),
        ('inquiries', 'total', 'week', 'auto', 24, 12, 5, 3, '1'),
        ('inquiries', 'total', 'week', 'auto', 52, 12, 5, 3, '1');
    insert into main_policy.org_change values
        ('merger', '2024-01-01', 'EMEA', '*', '*', 'Two teams became one', 'sales_operations'),
        ('merger', '2024-02-01', 'EMEA', '*', 'winz', 'Two teams became one', 'sales_operations'),
        ('no day', null, '*', '*', '*', 'Something', 'sales_operations'),
        ('nobody', '2024-02-01', '*', '*', '*', 'Something', ' ');
"""


def test_bad_rules_stop_the_run_by_name(
    run_dbt: RunDbt, warehouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    project = ContractBuild(run_dbt, tmp_path_factory.mktemp("bad_charts")).project_dir
    load_raw(warehouse, {})
    run_dbt(["seed"], duckdb_path=warehouse, project_dir=project)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(BROKEN)
    run = run_dbt(["run", "-s", "+int_policy__violation"], duckdb_path=warehouse, project_dir=project, may_fail=True)
    found = sorted(
        line.removeprefix("- seeds/policy/")
        for text in run.messages.values()
        for line in map(str.strip, text.splitlines())
        if line.startswith("- seeds/policy/")
    )
    chart, change = "control_chart.csv, row", "org_change.csv, row"
    expected = [
        f"{chart} [*, region, month, u]: the chart does not suit every KPI of the row",
        f"{chart} [*, total, day, auto]: an unknown chart_type or period_grain",
        f"{chart} [inquiries, total, week]: 2 rows for the same kpi and cut_name and period_grain",
        f"{chart} [mqls, total, month, 24, 25, 5.000000, 3]: the numbers of periods or events are missing or contradict",
        f"{chart} [mqls, total, week, 24, 12, 5.000000, 2]: the numbers of periods or events are missing or contradict",
        f"{chart} [sals, total, week, (empty)]: the rules are no list of numbers from 1 to 8",
        f"{chart} [sqls, total, month, 1|9]: the rules are no list of numbers from 1 to 8",
        f"{chart} [sqls, total, week, 12]: the rules are no list of numbers from 1 to 8",
        f"{chart} [wins, region x lead_source, week]: fct_kpi has no such cut at this grain",
        f"{chart} [wins, region, month, p]: the chart does not suit every KPI of the row",
        f"{chart} [winz, total, month]: no such KPI",
        f"{change} [merger, 2024-02-01, EMEA, *, winz]: no name, no day, no scope, or no such KPI",
        f"{change} [merger]: 2 rows for the same org_change",
        f"{change} [no day, (empty), *, *, *]: no name, no day, no scope, or no such KPI",
        f"{change} [nobody, Something,  ]: no description or no owner",
    ]
    assert [line[: len(start)] for line, start in zip(found, expected, strict=True)] == expected
