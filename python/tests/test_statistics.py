"""The statistics marts of conversion against published numbers and against a second, slow implementation.

One warehouse holds every case as a conversion definition of its own: fct_conversion, the definitions and the clock are
written by hand, the marts are built by dbt on them, and the invariants in tests/ run on the result.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from contract_build import ContractBuild

AS_OF = datetime.fromisoformat("2026-06-30 12:00")
DAY = timedelta(days=1)
MINIMUM_VOLUME = 30
MARTS = ("conversion_rate", "conversion_cohort", "time_to_convert", "time_to_convert_summary")
STEPS = ("int_conversion__follow_up", "int_conversion__day_count", "int_conversion__cohort_count", "dim_date")

# Weeks of remission in the 6-MP group of Freireich et al. (1963): until the relapse, or still going on.
RELAPSED = (6, 6, 6, 7, 10, 13, 16, 22, 23)
IN_REMISSION = (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)

WILSON = {
    (81, 263): (0.25529, 0.36621),
    (15, 148): (0.06239, 0.16049),
    (0, 20): (0.0, 0.16113),
    (1, 29): (0.00611, 0.17176),
}

FCT_CONVERSION = """
    conversion_key bigint, conversion_definition varchar, definition_version integer, scope_region varchar,
    scope_product_line varchar, journey_key bigint, person_key bigint, entered_at timestamp, entered_date date,
    converted_at timestamp, ended_at timestamp, seconds_to_convert double, days_to_convert integer,
    is_converted_before_entry boolean, is_mature boolean, in_denominator boolean, in_numerator boolean, why_not varchar,
    lead_source varchar, first_channel varchar, region varchar, product_line varchar, campaign_key bigint,
    rep_key bigint, journey_type varchar
"""
DEFINITION = """
    conversion_definition varchar, version integer, conversion_name varchar, window_days integer, time_basis varchar,
    scope_region varchar, scope_product_line varchar, minimum_volume integer, valid_from date
"""


@dataclass(frozen=True)
class Entry:
    """A journey in a definition: times in days from entry. Open when neither converted nor lost."""

    age: float
    converted: float | None = None
    lost: float | None = None
    lead_source: str | None = None


@dataclass(frozen=True)
class Case:
    """A conversion definition of basis stage, or with a window, and its journeys."""

    name: str
    entries: Sequence[Entry]
    window_days: int | None = None
    time_basis: str = "exact"


def fct_rows(case: Case) -> list[dict[str, Any]]:
    """fct_conversion for a case, by the definitions of the marts, in UTC."""
    rows = []
    for entry in case.entries:
        entered_at = AS_OF - entry.age * DAY
        converted_at = None if entry.converted is None else entered_at + entry.converted * DAY
        ended_at = converted_at if entry.lost is None else entered_at + entry.lost * DAY
        days = None
        if converted_at is not None:
            exact = case.time_basis == "exact"
            days = (converted_at - entered_at).days if exact else (converted_at.date() - entered_at.date()).days
        if case.window_days is None:
            is_mature, is_converted = ended_at is not None, converted_at is not None
        else:
            is_mature = entry.age >= case.window_days
            is_converted = entry.converted is not None and entry.converted <= case.window_days
        in_denominator = case.window_days is None or is_mature
        why_not = None
        if not in_denominator:
            why_not = "immature"
        elif not is_converted:
            why_not = "not_converted" if converted_at is None else "converted_late"
        rows.append(
            {
                "conversion_definition": case.name,
                "entered_at": entered_at,
                "entered_date": entered_at.date(),
                "converted_at": converted_at,
                "ended_at": ended_at,
                "seconds_to_convert": None if converted_at is None else (converted_at - entered_at).total_seconds(),
                "days_to_convert": days,
                "is_mature": is_mature,
                "in_denominator": in_denominator,
                "in_numerator": in_denominator and is_converted,
                "why_not": why_not,
                "lead_source": entry.lead_source,
            }
        )
    return rows


def shares(case_name: str, converted: int, entered: int) -> Case:
    return Case(case_name, [Entry(40.5, 1.5 if number < converted else None) for number in range(entered)])


def random_case(name: str, seed: int, size: int, open_share: float, time_basis: str = "exact") -> Case:
    """Conversions, losses and open journeys with many ties, and a source that not everybody has."""
    random = np.random.default_rng(seed)
    entries = []
    for _ in range(size):
        end = float(np.round(random.gamma(1.3, 18.0), 2))
        ending = "open" if random.random() < open_share else random.choice(["converted", "lost"], p=[0.4, 0.6])
        source = random.choice(["fair", "search", "", "partner"])
        age = end if ending == "open" else end + float(random.integers(0, 40)) + 0.25
        entries.append(
            Entry(age, end if ending == "converted" else None, end if ending == "lost" else None, source or None)
        )
    return Case(name, entries, time_basis=time_basis)


def coverage_case(name: str, random: np.random.Generator, size: int) -> Case:
    """Exponential conversion (mean 50 days) against loss (mean 30 days), watched for 5 to 90 days."""
    entries = []
    for _ in range(size):
        age, conversion, loss = random.uniform(5, 90), random.exponential(50), random.exponential(30)
        first = min(conversion, loss)
        if first > age:
            entries.append(Entry(age))
        else:
            entries.append(Entry(age, converted=conversion) if conversion < loss else Entry(age, lost=loss))
    return Case(name, entries)


def conversions_on(name: str, days: Sequence[float], **settings: Any) -> Case:
    return Case(name, [Entry(400.0, day) for day in days], **settings)


def entries_on(day: date, entered: int, converted: int = 0) -> list[Entry]:
    age = (AS_OF - datetime.combine(day, time(10))) / DAY
    return [Entry(age, 3.5 if number < converted else None) for number in range(entered)]


RANDOM_CASES = (
    random_case("random", 1, 700, 0.3),
    random_case("random_few", 2, 25, 0.5),
    random_case("random_calendar", 3, 400, 0.3, time_basis="calendar_days"),
    random_case("all_resolved", 4, 300, 0.0),
)
COVERAGE_CASES = tuple(coverage_case(f"coverage_{number}", np.random.default_rng(number), 60) for number in range(500))
CASES = (
    *(shares(f"wilson_{converted}_{entered}", converted, entered) for converted, entered in WILSON),
    Case("freireich", [*(Entry(100, week) for week in RELAPSED), *(Entry(week) for week in IN_REMISSION)]),
    *RANDOM_CASES,
    # 8 of 10 conversions by day 29: an exact window of 30 days lets them count. One on day 30 takes a part of the 31st.
    conversions_on("window_30", [1.5] * 7 + [29.5, 50.5, 60.5], window_days=30),
    conversions_on("window_60", [1.5] * 7 + [30.5, 50.5, 60.5], window_days=30),
    conversions_on("window_calendar", [1] * 7 + [30, 50, 60], window_days=60, time_basis="calendar_days"),
    Case("nothing_converts", [Entry(50.0), Entry(60.0, lost=20.0)], window_days=30),
    # Newcombe (1998), table II, first example: 56/70 against 48/80.
    Case("newcombe", [*entries_on(date(2026, 3, 9), 80, 48), *entries_on(date(2026, 4, 9), 70, 56)]),
    # Everybody is young: the slow half of the conversions cannot have been seen.
    Case("young", [Entry(age, converted=age * 0.9 if age % 2 else None) for age in range(1, 41)]),
    Case(
        "boundary",
        [*entries_on(date(2026, 3, 31), 1), *entries_on(date(2026, 4, 1), 2), *entries_on(date(2026, 4, 7), 2)],
    ),
    Case("sources", [Entry(50.0), Entry(60.0), Entry(60.0, lead_source="unknown")]),
    Case("immature", [Entry(50.0, 30.0), Entry(80.0, 30.5), Entry(20.0, 10.0), Entry(29.5)], window_days=30),
    Case("all_immature", [Entry(20.0)], window_days=30),
    *COVERAGE_CASES,
)


@dataclass(frozen=True)
class Marts:
    path: Path

    def read(self, mart: str, definition: str, condition: str = "cut_name = 'total'") -> pd.DataFrame:
        """Rows of a mart in the order of its key; `definition` is a LIKE pattern."""
        with duckdb.connect(self.path, read_only=True) as connection:
            return connection.execute(
                f"select * from main_marts.{mart} where conversion_definition like ? and {condition} order by all",
                [definition],
            ).df()


Build = Callable[[Sequence[Case], dict[str, Any]], Marts]


@pytest.fixture(scope="module")
def build(run_dbt: Any, tmp_path_factory: pytest.TempPathFactory) -> Build:
    project = ContractBuild(run_dbt, tmp_path_factory.mktemp("statistics"))

    def run(cases: Sequence[Case], variables: dict[str, Any]) -> Marts:
        path = tmp_path_factory.mktemp("warehouse") / "leadlag.duckdb"
        rows = pd.DataFrame([row for case in cases for row in fct_rows(case)])
        rows = rows.assign(
            conversion_key=range(len(rows)),
            journey_key=range(len(rows)),
            person_key=range(len(rows)),
            definition_version=1,
            scope_region="*",
            scope_product_line="*",
            is_converted_before_entry=False,
            journey_type="first",
        )
        definitions = pd.DataFrame(
            {
                "conversion_definition": [case.name for case in cases],
                "version": 1,
                "conversion_name": [case.name for case in cases],
                "window_days": pd.array([case.window_days for case in cases], dtype="Int64"),
                "time_basis": [case.time_basis for case in cases],
                "scope_region": "*",
                "scope_product_line": "*",
                "minimum_volume": MINIMUM_VOLUME,
                "valid_from": date(2000, 1, 1),
            }
        )
        with duckdb.connect(path) as connection:
            connection.execute("create schema main_marts; create schema main_intermediate; create schema main_policy")
            connection.execute(f"create table main_marts.fct_conversion ({FCT_CONVERSION})")
            connection.register("conversion_rows", rows)
            connection.execute("insert into main_marts.fct_conversion by name select * from conversion_rows")
            connection.execute(f"create table main_policy.conversion_definition ({DEFINITION})")
            connection.register("definition_rows", definitions)
            connection.execute("insert into main_policy.conversion_definition by name select * from definition_rows")
            connection.execute(
                "create table main_intermediate.int_input__clock as "
                "select ?::timestamp as as_of, cast(?::timestamp as date) as as_of_date",
                [AS_OF, AS_OF],
            )
        # Buildable: the invariants between these marts and what they read, and no test that needs another mart.
        run_dbt(
            [
                *("build", "--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"),
                *("--select", *MARTS, *STEPS),
            ],
            duckdb_path=path,
            project_dir=project.project_dir,
            variables={"business_timezone": "UTC", **variables},
        )
        return Marts(path)

    return run


@pytest.fixture(scope="module")
def marts(build: Build) -> Marts:
    return build(CASES, {})


def aalen_johansen(days: Sequence[int], endings: Sequence[str]) -> pd.DataFrame:
    """Aalen-Johansen written from the definition, every sum from scratch on every day."""
    day, ending = np.array(days), np.array(endings)
    event_days = np.unique(day)
    at_risk = np.array([(day >= u).sum() for u in event_days])
    converted = np.array([((day == u) & (ending == "converted")).sum() for u in event_days])
    lost = np.array([((day == u) & (ending == "lost")).sum() for u in event_days])
    ended = converted + lost
    rows = []
    for t in range(len(event_days)):
        before = [float(np.prod([1 - ended[v] / at_risk[v] for v in range(u)])) for u in range(t + 1)]
        incidence = [sum(before[v] * converted[v] / at_risk[v] for v in range(u + 1)) for u in range(t + 1)]
        variance = 0.0
        for u in range(t + 1):
            rest = incidence[t] - incidence[u]
            if ended[u] < at_risk[u]:
                variance += rest**2 * ended[u] / (at_risk[u] * (at_risk[u] - ended[u]))
            variance += before[u] ** 2 * converted[u] * (at_risk[u] - converted[u]) / at_risk[u] ** 3
            variance -= 2 * rest * before[u] * converted[u] / at_risk[u] ** 2
        rows.append(
            {
                "days_since_entry": event_days[t],
                "at_risk": at_risk[t],
                "overall_survival": before[t] * (1 - ended[t] / at_risk[t]),
                "cumulative_incidence": incidence[t],
                "cumulative_loss": sum(before[u] * lost[u] / at_risk[u] for u in range(t + 1)),
                "standard_error": variance**0.5,
            }
        )
    return pd.DataFrame(rows)


def endings_of(case: Case, source: str | None = "all") -> tuple[list[int], list[str]]:
    """Whole days followed and how it ended, for each entry of a case or of one source of it."""
    days, endings = [], []
    for entry in case.entries:
        if source not in ("all", entry.lead_source):
            continue
        entered_at = AS_OF - entry.age * DAY
        if entry.converted is not None:
            left_at, ending = entered_at + entry.converted * DAY, "converted"
        elif entry.lost is not None:
            left_at, ending = entered_at + entry.lost * DAY, "lost"
        else:
            left_at, ending = AS_OF, "open"
        exact = case.time_basis == "exact"
        days.append((left_at - entered_at).days if exact else (left_at.date() - entered_at.date()).days)
        endings.append(ending)
    return days, endings


def first_day(days: pd.Series, share: pd.Series, reached: float) -> int | None:
    """First day on which a share reaches a value, but for the last digits of a double."""
    found = days[share >= reached - 1e-9]
    return None if found.empty else int(found.iloc[0])


@pytest.mark.parametrize(("converted", "entered"), WILSON)
def test_wilson_limits_are_the_published_ones(marts: Marts, converted: int, entered: int) -> None:
    total = marts.read("conversion_rate", f"wilson_{converted}_{entered}", "cut_name = 'total'")
    assert set(total.period_grain) == {"total", "quarter", "month", "week"}
    for row in total.itertuples():
        assert (row.denominator, row.numerator) == (entered, converted)
        assert (round(row.rate_low, 5), round(row.rate_high, 5)) == WILSON[converted, entered]
        assert row.is_reliable == (entered >= MINIMUM_VOLUME)


def test_confidence_level_sets_the_width(build: Build) -> None:
    """A Wilson limit p solves |share - p| = z sqrt(p (1 - p) / n)."""
    row = build([shares("wilson", 81, 263)], {"confidence_level": 0.80}).read("conversion_rate", "wilson").iloc[0]
    for limit in (row.rate_low, row.rate_high):
        assert abs(81 / 263 - limit) / (limit * (1 - limit) / 263) ** 0.5 == pytest.approx(1.2815515655446004)


def test_without_a_competing_event_the_curve_is_kaplan_meier(marts: Marts) -> None:
    """S, Greenwood's error and the log-log interval of the median as R's survival package gives them."""
    curve = marts.read("time_to_convert", "freireich").set_index("days_since_entry")
    assert 1 - curve.cumulative_incidence[6] == pytest.approx(0.8571429, abs=5e-8)
    assert curve.standard_error[6] == pytest.approx(0.0763604, abs=5e-8)
    assert 1 - curve.cumulative_incidence[23] == pytest.approx(0.4481793, abs=5e-8)
    assert curve.overall_survival[23] == pytest.approx(0.4481793, abs=5e-8)

    greenwood, survival = 0.0, 1.0
    for row in curve.itertuples():
        greenwood += row.converted / (row.at_risk * (row.at_risk - row.converted))
        survival *= 1 - row.converted / row.at_risk
        exponent = np.exp(1.959963984540054 * greenwood**0.5 / np.log(survival))
        assert 1 - row.incidence_low == pytest.approx(survival**exponent, abs=1e-12)
        assert 1 - row.incidence_high == pytest.approx(survival ** (1 / exponent), abs=1e-12)

    summary = marts.read("time_to_convert_summary", "freireich").iloc[0]
    assert (summary.entered, summary.converted, summary.lost, summary.still_open) == (21, 9, 0, 12)
    assert (summary.entry_p50_days, summary.entry_p50_days_low) == (23, 13)
    assert pd.isna(summary.entry_p50_days_high)


@pytest.mark.parametrize("case", RANDOM_CASES, ids=lambda case: case.name)
def test_curve_equals_a_second_implementation(marts: Marts, case: Case) -> None:
    columns = ["at_risk", "overall_survival", "cumulative_incidence", "cumulative_loss", "standard_error"]
    wanted = {"(all)": aalen_johansen(*endings_of(case))}
    for source in {entry.lead_source for entry in case.entries}:
        wanted[source or "(not recorded)"] = aalen_johansen(*endings_of(case, source))
    curves = marts.read("time_to_convert", case.name, "cut_name in ('total', 'lead_source')")
    assert set(curves.cut_value) == set(wanted)
    for value, slow in wanted.items():
        fast = curves[curves.cut_value == value].sort_values("days_since_entry")
        assert list(fast.days_since_entry) == list(slow.days_since_entry)
        np.testing.assert_allclose(fast[columns].to_numpy(float), slow[columns].to_numpy(float), rtol=0, atol=1e-12)


def test_with_everybody_resolved_the_error_is_binomial(marts: Marts) -> None:
    curve = marts.read("time_to_convert", "all_resolved")
    share = curve.cumulative_incidence
    assert (curve.lost.sum() > 0) and (curve.censored.sum() == 0)
    np.testing.assert_allclose(curve.standard_error, (share * (1 - share) / 300) ** 0.5, rtol=0, atol=1e-12)


def test_intervals_hold_the_truth_as_often_as_they_say(marts: Marts) -> None:
    """500 samples of 60 journeys; losses compete, so the truth at 40 days is far below 1 - exp(-40 / 50)."""
    rate = 1 / 50 + 1 / 30
    truth = (1 / 50) / rate * (1 - np.exp(-rate * 40))
    # Day 39 is the last one that ends by 40 days.
    curves = marts.read("time_to_convert", "coverage%", "cut_name = 'total' and days_since_entry <= 39")
    at_40_days = curves.groupby("conversion_definition").tail(1)
    assert len(at_40_days) == len(COVERAGE_CASES)
    assert at_40_days.cumulative_incidence.mean() == pytest.approx(truth, abs=0.01)
    hits = (at_40_days.incidence_low <= truth) & (truth <= at_40_days.incidence_high)
    assert 0.93 <= hits.mean() <= 0.97


@pytest.mark.parametrize("case", RANDOM_CASES, ids=lambda case: case.name)
def test_summary_reads_the_curve(marts: Marts, case: Case) -> None:
    days, endings = endings_of(case)
    slow = aalen_johansen(days, endings)
    share = slow.cumulative_incidence
    # The follow-up: leaving it open is the event, and comes after the conversions and losses of its day.
    left = [2 * day + (ending == "open") for day, ending in zip(days, endings, strict=True)]
    watched = aalen_johansen(left, ["converted" if ending == "open" else "open" for ending in endings])
    half_watched = first_day(watched.days_since_entry // 2, watched.cumulative_incidence, 0.5)

    row = marts.read("time_to_convert_summary", case.name).iloc[0].astype(object)
    row = row.where(row.notna(), None)
    assert row.follow_up_days == slow.days_since_entry.iloc[-1]
    assert row.median_follow_up_days == (row.follow_up_days if half_watched is None else half_watched)
    assert row.incidence_at_end == pytest.approx(share.iloc[-1], abs=1e-12)
    for percent in (25, 50, 75):
        assert row[f"entry_p{percent}_days"] == first_day(slow.days_since_entry, share, percent / 100)
    for percent in (25, 50, 75, 90, 95):
        of_converters = first_day(slow.days_since_entry, share / share.iloc[-1], percent / 100)
        assert row[f"converter_p{percent}_days"] == of_converters
    assert row.follow_up_is_enough == (row.converter_p95_days <= row.median_follow_up_days)


@pytest.mark.parametrize(
    ("definition", "recommended", "share"),
    [("window_30", 30, 0.8), ("window_60", 60, 0.7), ("window_calendar", 30, 1.0)],
)
def test_recommended_window_lets_four_fifths_count(
    marts: Marts, definition: str, recommended: int, share: float
) -> None:
    row = marts.read("time_to_convert_summary", definition).iloc[0]
    assert row.recommended_window_days == recommended
    assert row.window_share == pytest.approx(share)


def test_without_a_conversion_there_is_nothing_to_recommend(marts: Marts) -> None:
    row = marts.read("time_to_convert_summary", "nothing_converts").iloc[0]
    assert (row.entered, row.lost, row.incidence_at_end) == (2, 1, 0)
    assert row[["recommended_window_days", "window_share", "incidence_at_end_low", "entry_p25_days"]].isna().all()
    assert not row.follow_up_is_enough


def test_a_young_curve_is_not_enough(marts: Marts) -> None:
    """Conversions come as late as the follow-up lets them; in the other case everybody was watched for 400 days."""
    assert not marts.read("time_to_convert_summary", "young").iloc[0].follow_up_is_enough
    assert marts.read("time_to_convert_summary", "window_30").iloc[0].follow_up_is_enough


def test_change_between_cohorts_has_the_published_limits(marts: Marts) -> None:
    cohorts = marts.read("conversion_cohort", "newcombe", "age_days = 30").set_index("cohort_month")
    april = cohorts.loc[pd.Timestamp(2026, 4, 1)]
    assert (april.mature_entered, april.converted, april.prior_rate) == (70, 56, 0.6)
    assert april.rate_change == pytest.approx(0.2)
    assert (round(april.rate_change_low, 4), round(april.rate_change_high, 4)) == (0.0524, 0.3339)
    assert pd.isna(cohorts.loc[pd.Timestamp(2026, 3, 1)].rate_change)


def test_every_grain_counts_the_entries_of_its_own_periods(marts: Marts) -> None:
    """The last Tuesday of March and the first Wednesday of April are one ISO week, two months and two quarters."""
    rates = marts.read("conversion_rate", "boundary").set_index(["period_grain", "period_start"])
    entered = {(grain, f"{start:%Y-%m-%d}"): row.entered for (grain, start), row in rates.iterrows()}
    assert entered == {
        ("total", "2000-01-01"): 5,
        ("week", "2026-03-30"): 3,
        ("week", "2026-04-06"): 2,
        ("month", "2026-03-01"): 1,
        ("month", "2026-04-01"): 4,
        ("quarter", "2026-01-01"): 1,
        ("quarter", "2026-04-01"): 4,
    }


def test_not_recorded_is_apart_from_unknown(marts: Marts) -> None:
    rates = marts.read("conversion_rate", "sources", "cut_name = 'lead_source' and period_grain = 'total'")
    assert dict(zip(rates.cut_value, rates.entered, strict=True)) == {"(not recorded)": 2, "unknown": 1}


def test_immature_entries_count_nowhere_but_show(marts: Marts) -> None:
    """Of four entries two are mature; one of each kind has converted within the window, one long after it."""
    row = marts.read("conversion_rate", "immature", "cut_name = 'total' and period_grain = 'total'").iloc[0]
    assert (row.entered, row.denominator, row.numerator, row.rate) == (4, 2, 1, 0.5)
    assert (row.mature_count, row.mature_share, row.converted_so_far) == (2, 0.5, 2)


def test_without_a_mature_entry_there_is_no_rate(marts: Marts) -> None:
    row = marts.read("conversion_rate", "all_immature", "cut_name = 'total' and period_grain = 'total'").iloc[0]
    assert (row.entered, row.denominator, row.numerator) == (1, 0, 0)
    assert row[["rate", "rate_low", "rate_high"]].isna().all()
    assert not row.is_reliable
