"""KPIs: values against an independent computation in pandas, targets without look-ahead, rules that cannot be applied."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import RunDbt
from contract_build import SHIPPED_POLICIES, ContractBuild, load_raw
from leadlag.cli import main
from scipy import stats

ATTRIBUTES = ["region", "product_line", "lead_source", "first_channel", "journey_type"]
FREQUENCY = {"week": "W-SUN", "month": "M", "quarter": "Q"}
Z = 1.959963984540054


@pytest.fixture(scope="module")
def company(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kpi") / "leadlag.duckdb"
    arguments = ["--leads", "2500", "--seed", "5", "--until", "2025-12-31"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADLAG_DUCKDB_PATH", str(path))
        assert main(["simulate", "--quiet", "--profiles-dir", str(profiles_dir), "--target", "duckdb", *arguments]) == 0
    run_dbt(
        ["build", "--select", "+leadlag.marts.kpi", "--exclude-resource-type", "test", "unit_test", "snapshot"],
        duckdb_path=path,
    )
    return path


def table(path: Path, query: str) -> pd.DataFrame:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set search_path = 'main_marts,main_intermediate,main_policy'")
        return connection.execute(query).df()


def business_day(times: pd.Series) -> pd.Series:
    zoned = pd.to_datetime(times).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    return zoned.dt.tz_localize(None).dt.normalize()


def hours(first: pd.Series, second: pd.Series) -> pd.Series:
    return (second - first).dt.total_seconds() / 3600


def rows(frame: pd.DataFrame, day: str, chosen: pd.Series | None = None, amount: str | None = None) -> pd.DataFrame:
    """The chosen rows that have a day: attributes, day, amount (1 each where none is named)."""
    kept = frame if chosen is None else frame[chosen]
    kept = kept[kept[day].notna()]
    return kept[ATTRIBUTES].assign(day=kept[day], amount=kept[amount] if amount else 1.0)


def sources(path: Path) -> dict[str, tuple[pd.DataFrame, pd.DataFrame | None]]:
    """KPI -> rows of its numerator and of its denominator, written from the words of the registry."""
    journey = table(path, "select * from fct_journey")
    as_of = table(path, "select as_of from int_input__clock")["as_of"][0]
    for name in ("entered", "inquiry", "mql", "sal", "sql", "opportunity", "won", "ended"):
        journey[f"{name}_day"] = business_day(journey[f"{name}_at"])
    contact = journey[["mql_at", "first_sales_contact_at"]].max(axis=1, skipna=False)
    journey["contact_day"] = business_day(contact)
    journey["contact_hours"] = hours(journey["mql_at"], contact)
    journey["qualification_days"] = hours(journey["mql_at"], journey["sql_at"]) / 24
    journey["cycle_days"] = hours(journey["opportunity_at"], journey["won_at"]) / 24
    touch = table(path, "select journey_key, occurred_at from fct_touchpoint where traffic = 'person'").merge(
        journey.loc[journey["won_at"].notna(), ["journey_key", "won_at"]], on="journey_key"
    )
    age = touch["won_at"] - touch["occurred_at"].dt.floor("s")
    touched = touch.loc[(age >= pd.Timedelta(0)) & (age <= pd.Timedelta(days=365)), "journey_key"]
    journey["is_unattributed"] = ~journey["journey_key"].isin(touched)
    deal = table(path, "select * from fct_opportunity where is_counted").merge(
        journey[["journey_key", *ATTRIBUTES]], on="journey_key", how="left", suffixes=("_own", "")
    )
    for name in ("region", "product_line"):
        deal[name] = deal[name].fillna(deal[f"{name}_own"])
    deal["created_day"], deal["won_day"] = business_day(deal["created_at"]), business_day(deal["won_at"])
    deal["amount"] = deal["amount_base"].astype(float)
    deal["margin"] = deal["amount"] * 0.7
    first_deals = deal[deal["won_at"].notna() & deal["account_key"].notna()].sort_values(["won_at", "opportunity_key"])
    deal["is_first"] = deal.index.isin(first_deals.drop_duplicates("account_key").index)
    spend = table(path, "select spend_date as day, amount, currency_code from int_input__spend")
    rates = {"EUR": 1.0, "USD": 0.92, "GBP": 1.16, "CHF": 1.03}
    spend["amount"] = spend["amount"].astype(float) * spend["currency_code"].map(rates)
    spend = spend.assign(**dict.fromkeys(ATTRIBUTES))

    count = {
        name: rows(journey, f"{name}_day") for name in ("inquiry", "mql", "sal", "sql", "opportunity", "won", "ended")
    }
    entered = rows(journey, "entered_day")
    decided = journey["outcome"].isin(["won", "lost"]) & journey["opportunity_at"].notna()
    due = journey["mql_at"] + pd.Timedelta(hours=24) <= as_of
    won_amount = rows(deal, "won_day", deal["amount"].notna(), "amount")
    contribution = pd.concat(
        [rows(deal, "won_day", deal["margin"].notna(), "margin"), spend.assign(amount=-spend["amount"])]
    )
    found: dict[str, tuple[pd.DataFrame, pd.DataFrame | None]] = {
        "won_revenue": (won_amount, None),
        "average_deal_size": (won_amount, None),
        "pipeline_created": (rows(deal, "created_day", deal["amount"].notna(), "amount"), None),
        "gross_margin": (rows(deal, "won_day", deal["margin"].notna(), "margin"), None),
        "contribution_margin_per_win": (contribution, count["won"]),
        "advertising_spend": (spend, None),
        "cost_per_inquiry": (spend, count["inquiry"]),
        "cost_per_mql": (spend, count["mql"]),
        "cost_per_sql": (spend, count["sql"]),
        "cost_per_opportunity": (spend, count["opportunity"]),
        "customer_acquisition_cost": (spend, count["won"]),
        "return_on_ad_spend": (won_amount, spend),
        "wins": (count["won"], None),
        "new_customer_accounts": (rows(deal, "won_day", deal["is_first"]), None),
        "returning_share": (rows(journey, "entered_day", journey["journey_number"] > 1), entered),
        "disqualified_share": (rows(journey, "ended_day", journey["outcome"] == "disqualified"), count["ended"]),
        "recycled_share": (rows(journey, "ended_day", journey["outcome"] == "recycled"), count["ended"]),
        "inquiries": (count["inquiry"], None),
        "mqls": (count["mql"], None),
        "sals": (count["sal"], None),
        "sqls": (count["sql"], None),
        "opportunities": (count["opportunity"], None),
        "sqls_per_mql": (count["sql"], count["mql"]),
        "win_rate_closed": (
            rows(journey, "ended_day", decided & (journey["outcome"] == "won")),
            rows(journey, "ended_day", decided),
        ),
        "contacted_within_24h": (
            rows(journey, "mql_day", due & (journey["contact_hours"] <= 24)),
            rows(journey, "mql_day", due),
        ),
        "hours_to_contact": (rows(journey, "contact_day", journey["contact_hours"].notna(), "contact_hours"), None),
        "days_mql_to_sql": (rows(journey, "sql_day", journey["qualification_days"] >= 0, "qualification_days"), None),
        "days_to_win": (rows(journey, "won_day", journey["cycle_days"] >= 0, "cycle_days"), None),
        "lead_source_completeness": (rows(journey, "entered_day", journey["lead_source"].notna()), entered),
        "owner_completeness": (rows(journey, "entered_day", journey["rep_key"].notna()), entered),
        "region_completeness": (rows(journey, "entered_day", journey["region"].notna()), entered),
        "touchpoint_coverage": (rows(journey, "entered_day", journey["touchpoint_count"] > 0), entered),
        "unattributed_win_share": (rows(journey, "won_day", journey["is_unattributed"]), count["won"]),
    }
    conversion = table(path, "select *, entered_date as day from fct_conversion")
    for definition, of_definition in conversion.groupby("conversion_definition"):
        found[f"{definition}_rate"] = (
            rows(of_definition, "day", of_definition["in_numerator"]),
            rows(of_definition, "day", of_definition["in_denominator"]),
        )
    return found


def by_period(frame: pd.DataFrame, grain: str, cut: list[str]) -> pd.DataFrame:
    """Count, sum and sum of squares of a set of rows."""
    start = pd.to_datetime(frame["day"]).dt.to_period(FREQUENCY[grain]).dt.start_time
    keys = [start.rename("period_start"), *(frame[name].fillna("(not recorded)") for name in cut)]
    amounts = frame.assign(square=frame["amount"] ** 2).groupby(keys, observed=True)
    return amounts.agg(n=("amount", "size"), total=("amount", "sum"), square=("square", "sum")).reset_index()


def expected(statistic: str, x: pd.Series, y: pd.Series) -> tuple[float, float, float, float]:
    """Value, limits, and volume of one KPI from the sums of its two sides."""
    if statistic == "count":
        # Exact Poisson limits; the project's own are an approximation of them.
        low = stats.chi2.ppf(0.025, 2 * x.n) / 2 if x.n else 0.0
        return x.total, low, stats.chi2.ppf(0.975, 2 * x.n + 2) / 2, x.n
    if statistic == "sum":
        half = Z * math.sqrt(x.square) if x.n else math.nan
        return x.total, x.total - half, x.total + half, x.n
    if statistic == "rate":
        if not y.n:
            return math.nan, math.nan, math.nan, 0
        interval = stats.binomtest(int(x.n), int(y.n)).proportion_ci(0.95, method="wilson")
        return x.n / y.n, interval.low, interval.high, y.n
    if statistic == "mean":
        if not x.n:
            return math.nan, math.nan, math.nan, 0
        mean = x.total / x.n
        error = math.sqrt(max(x.square - x.n * mean**2, 0) / (x.n * (x.n - 1))) if x.n > 1 else math.nan
        return mean, mean - Z * error, mean + Z * error, x.n
    if not y.total:
        return math.nan, math.nan, math.nan, min(x.n, y.n)
    ratio = x.total / y.total
    if ratio <= 0:
        return ratio, math.nan, math.nan, min(x.n, y.n)
    error = Z * math.sqrt(x.square / x.total**2 + y.square / y.total**2)
    return ratio, ratio * math.exp(-error), ratio * math.exp(error), min(x.n, y.n)


@pytest.mark.parametrize(
    ("grain", "cut"),
    [
        ("week", []),
        ("month", []),
        ("quarter", []),
        ("month", ["region"]),
        ("month", ["lead_source"]),
        ("quarter", ["region", "lead_source"]),
    ],
)
def test_every_value_is_what_its_words_say(company: Path, grain: str, cut: list[str]) -> None:
    """All KPIs but products: numerator, denominator, value, limits and volume of every row, and no other rows than these."""
    statistic = table(company, "select kpi, statistic from dim_kpi where statistic <> 'product'").set_index("kpi")[
        "statistic"
    ]
    cut_name = " x ".join(cut) or "total"
    values = table(
        company,
        f"select * from fct_kpi where variant = 'global' and period_grain = '{grain}' and cut_name = '{cut_name}'",
    )
    found = sources(company)
    known = {kpi for kpi in statistic.index if not cut or kpi in set(values["kpi"])}
    assert known <= set(found)
    if not cut:
        assert known == set(statistic.index)
    none = pd.Series({"n": 0, "total": 0.0, "square": 0.0})
    for kpi in sorted(known):
        sums = []
        for side in found[kpi]:
            summed = (
                by_period(side, grain, cut)
                if side is not None
                else pd.DataFrame(columns=["period_start", *cut, "n", "total", "square"])
            )
            value_of_cut = [" x ".join(values) for values in summed[cut].itertuples(index=False)] if cut else "(all)"
            sums.append(summed.assign(cut_value=value_of_cut).set_index(["period_start", "cut_value"]))
        of_kpi = values[values["kpi"] == kpi].set_index(["period_start", "cut_value"])
        assert set().union(*(side.index for side in sums)) <= set(of_kpi.index), kpi
        for place, row in of_kpi.iterrows():
            x, y = (side.loc[place] if place in side.index else none for side in sums)
            value, low, high, volume = expected(statistic[kpi], x, y)
            where = f"{kpi} {place}"
            assert row["numerator"] == pytest.approx(x.total, rel=1e-9, abs=1e-6), where
            assert row["value"] == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), where
            assert pd.isna(row["value"]) == (row["no_value_reason"] == "the denominator is 0"), where
            loose = {"rel": 0.03, "abs": 0.05} if statistic[kpi] == "count" else {"rel": 1e-6, "abs": 1e-9}
            assert row["value_low"] == pytest.approx(low, nan_ok=True, **loose), where
            assert row["value_high"] == pytest.approx(high, nan_ok=True, **loose), where
            assert row["volume"] == volume, where


def test_a_period_without_a_win_shows_zero_wins(company: Path) -> None:
    weeks = table(
        company,
        "select period_start, value from fct_kpi where kpi = 'wins' and period_grain = 'week' and cut_name = 'total' order by 1",
    )
    assert (weeks["value"] == 0).any()
    assert (weeks["period_start"].diff().dropna() == pd.Timedelta(days=7)).all()


def test_products_are_products_of_their_components(company: Path) -> None:
    values = table(
        company, "select * from fct_kpi where variant = 'global' and cut_name in ('total', 'region')"
    ).set_index(["kpi", "period_grain", "period_start", "cut_name", "cut_value"])["value"]
    components = table(company, "select * from kpi_component")
    for kpi, of_kpi in components.groupby("kpi"):
        product = pd.concat([values[row.component_kpi] ** row.exponent for row in of_kpi.itertuples()], axis=1).prod(
            axis=1, skipna=False
        )
        ours = values[kpi]
        theirs = product.reindex(ours.index).replace([np.inf], np.nan)
        assert len(ours) > 100
        pd.testing.assert_series_equal(ours, theirs, check_names=False, rtol=1e-9)


def test_weights_are_those_of_the_closest_row(company: Path) -> None:
    """MQLs weighted by deal size: Core 1, Insights 2.2, Connect 0.3."""
    mql = sources(company)["mqls"][0]
    weight = mql["product_line"].map({"Insights": 2.2, "Connect": 0.3}).fillna(1.0)
    month = pd.to_datetime(mql["day"]).dt.to_period("M").dt.start_time
    weighted = weight.groupby(month).sum()
    ours = table(
        company,
        "select period_start, weighted_value from fct_kpi where kpi = 'mqls' and period_grain = 'month' and cut_name = 'total'",
    ).set_index("period_start")["weighted_value"]
    for period, value in weighted.items():
        assert ours[period] == pytest.approx(value)


def test_a_variant_of_the_same_measures_has_the_rows_of_its_scope_only(
    company: Path, run_dbt: RunDbt, tmp_path: Path
) -> None:
    """MQLs of a region as a variant are those of the cut by region, and the global ones stay as they are."""
    path = tmp_path / "leadlag.duckdb"
    path.write_bytes(company.read_bytes())
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "insert into main_policy.kpi_variant by name select 'mqls' as kpi, 1 as version, 'emea' as variant, 'EMEA' as region, "
            "'*' as product_line, numerator_measure, valid_from from main_policy.kpi where kpi = 'mqls' and version = 1"
        )
    steps = ("definition", "use", "kpi_cut", "segment_piece", "measure_piece", "measure_sum", "series", "value")
    run_dbt(["run", "--select", *(f"int_kpi__{step}" for step in steps)], duckdb_path=path)
    chosen = "select period_grain, period_start, value, weighted_value from int_kpi__value where kpi = 'mqls' and "
    of_region = "variant = 'global' and cut_name = 'region' and cut_value = 'EMEA'"
    of_all = "variant = 'global' and cut_name = 'total'"
    first = "period_start >= (select min(period_start) from int_kpi__value where kpi = 'mqls' and variant = 'emea' and value > 0)"
    variant = table(path, f"{chosen} variant = 'emea' and cut_name = 'total' and {first} order by all")
    assert len(variant) > 50 and variant["value"].sum() > 100
    pd.testing.assert_frame_equal(variant, table(path, f"{chosen} {of_region} and {first} order by all"))
    unchanged = [table(of, f"{chosen} {of_all} order by all") for of in (path, company)]
    pd.testing.assert_frame_equal(*unchanged)


def test_targets_know_only_what_was_known(company: Path, run_dbt: RunDbt, tmp_path: Path) -> None:
    """Built as of an earlier day, targets up to that day are the same: nothing that came later went into them."""
    query = """
        select value.kpi, variant, period_grain, period_start, cut_name, cut_value, target, threshold
        from fct_kpi as value
        where target is not null and period_start <= '2025-07-01'
        -- What sources restate: amounts of opportunities, and first touches of visitors who are identified later.
        and kpi not in (
            'pipeline_created', 'first_touch_to_sales_contact_30d_rate', 'touchpoint_coverage', 'unattributed_win_share'
        )
        and kpi not in (
            -- Basis stage: entries that are open today are pending, whenever they close.
            select kpi from dim_kpi inner join conversion_definition as definition
            on definition.conversion_definition || '.entered' = dim_kpi.denominator_measure where basis = 'stage'
        )
        order by all
    """
    now = table(company, query)
    assert len(now) > 500
    earlier = tmp_path / "leadlag.duckdb"
    earlier.write_bytes(company.read_bytes())
    run_dbt(
        ["build", "--select", "+fct_kpi", "--exclude-resource-type", "test", "unit_test", "snapshot"],
        duckdb_path=earlier,
        variables={"as_of": "2025-07-02 00:00:00"},
    )
    then = table(earlier, query)
    keys = [name for name in now.columns if name not in ("target", "threshold")]
    both = now.merge(then, on=keys, how="outer", suffixes=("", "_then"), indicator=True)
    differing = both[(both["_merge"] != "both") | ~np.isclose(both["target"], both["target_then"], rtol=1e-9)]
    assert differing.empty, differing.head(20).to_string()


def test_markets_count_accounts_once_at_their_first_win(company: Path) -> None:
    deal = table(
        company, "select * from fct_opportunity where is_counted and won_at is not null and account_key is not null"
    )
    deal = deal.merge(
        table(company, "select journey_key, region from fct_journey"),
        on="journey_key",
        how="left",
        suffixes=("_own", ""),
    ).merge(table(company, "select account_key, industry from dim_account"), on="account_key")
    deal["region"] = deal["region"].fillna(deal["region_own"])
    customer = deal.sort_values(["won_at", "opportunity_key"]).drop_duplicates("account_key")
    customer["won_day"] = business_day(customer["won_at"])
    ours = table(company, "select * from market_penetration")
    markets = table(company, "select * from target_market").set_index("target_market")
    last_day = table(company, "select as_of_date from int_input__clock")["as_of_date"][0]
    first_quarter = customer["won_day"].min().to_period("Q")
    quarters = pd.period_range(first_quarter, last_day.to_period("Q"))
    assert len(ours) == len(markets) * len(quarters)
    for row in ours.itertuples():
        market, quarter = markets.loc[row.target_market], row.quarter_start.to_period("Q")
        inside = customer["won_day"].notna()
        for attribute in ("region", "industry"):
            inside &= (market[attribute] == "*") | (customer[attribute] == market[attribute])
        quarter_won = customer.loc[inside, "won_day"].dt.to_period("Q")
        assert row.customer_accounts == (quarter_won <= quarter).sum()
        assert row.new_accounts == (quarter_won == quarter).sum()
        assert row.penetration == pytest.approx(row.customer_accounts / market["addressable_accounts"])
        assert row.is_mature == (quarter.end_time.normalize() < last_day)
    assert (ours["customer_accounts"] > ours["new_accounts"]).any() and (ours["new_accounts"] > 0).any()


def test_cycles_are_those_known_before_the_quarter(company: Path) -> None:
    """A unit's window is a multiple of the median cycle of its conversions before the quarter of entry."""
    entry = table(
        company,
        """
        select conversion.*, definition.time_basis, rule.cut_name, rule.cycle_multiple, rule.minimum_conversions
        from fct_conversion as conversion
        inner join conversion_definition as definition
            on conversion.conversion_definition = definition.conversion_definition
            and conversion.definition_version = definition.version
        inner join cycle_window as rule on conversion.conversion_definition = rule.conversion_definition
        where not is_converted_before_entry and coalesce(why_not, '') <> 'recycled_policy'
        """,
    )
    clock = table(company, "select as_of, as_of_date from int_input__clock").iloc[0]
    entry = entry[entry["entered_at"] <= clock["as_of"]]
    entry["unit"] = entry["region"].where(entry["cut_name"] == "region", entry["product_line"]).fillna("(not recorded)")
    entry["entered_day"], entry["converted_day"] = (
        business_day(entry["entered_at"]),
        business_day(entry["converted_at"]),
    )
    dates_apart = (entry["converted_day"] - entry["entered_day"]).dt.days
    completed = np.floor(hours(entry["entered_at"], entry["converted_at"]) / 24)
    entry["cycle"] = dates_apart.where(entry["time_basis"] == "calendar_days", completed)
    expected_rows = {}
    keys = ["conversion_definition", "definition_version", "cut_name", "unit"]
    for (*key, quarter), of_quarter in entry.groupby([*keys, entry["entered_day"].dt.to_period("Q")]):
        of_unit = entry[(entry[keys] == key).all(axis=1)]
        earlier = of_unit.loc[of_unit["converted_day"] < quarter.start_time, "cycle"]
        if len(earlier) < of_unit["minimum_conversions"].iloc[0]:
            continue
        window = max(math.ceil(of_unit["cycle_multiple"].iloc[0] * earlier.median()), 1)
        over = of_quarter["entered_day"] + pd.Timedelta(days=window) < clock["as_of_date"]
        numerator = int((over & (of_quarter["cycle"] < window)).sum())
        expected_rows[(*key, quarter.start_time)] = (len(earlier), window, len(of_quarter), int(over.sum()), numerator)
    ours = table(company, "select * from cycle_normalised_rate")
    found = {}
    for row in ours.itertuples():
        where = (row.conversion_definition, row.definition_version, row.cut_name, row.cut_value, row.quarter_start)
        found[where] = (row.earlier_conversions, row.window_days, row.entered, row.denominator, row.numerator)
        if row.denominator:
            low, high = stats.binomtest(row.numerator, row.denominator).proportion_ci(method="wilson")
            assert (row.rate, row.rate_low, row.rate_high) == pytest.approx(
                (row.numerator / row.denominator, low, high)
            )
        else:
            assert np.isnan(row.rate)
        assert row.is_mature == (row.denominator == row.entered)
    assert found == expected_rows
    assert len({window for _, window, *_ in found.values()}) > 5 and not ours["is_mature"].all()


def policies_of(names: list[str]) -> dict[str, list[dict[str, str]]]:
    found = {}
    for name in names:
        with (SHIPPED_POLICIES / f"{name}.csv").open(encoding="utf-8") as file:
            found[name] = list(csv.DictReader(file))
    return found


def first(found: list[dict[str, str]], **values: str) -> dict[str, str]:
    return next(row for row in found if all(row[name] == value for name, value in values.items()))


@pytest.fixture
def consumer(run_dbt: RunDbt, tmp_path: Path) -> Callable[[dict[str, list[dict[str, str]]]], str]:
    """Builds a consumer project with policies of its own, which must stop; returns the message."""

    def build(policies: dict[str, list[dict[str, str]]]) -> str:
        project = ContractBuild(run_dbt, tmp_path)
        settings = project.project_dir / "dbt_project.yml"
        content: dict[str, Any] = yaml.safe_load(settings.read_text(encoding="utf-8"))
        content["seeds"]["contract_project"]["+enabled"] = True
        seeds = project.project_dir / "seeds"
        seeds.mkdir(exist_ok=True)
        for name, lines in policies.items():
            content["seeds"]["leadlag"]["policy"][name] = {"+enabled": False}
            with (seeds / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, fieldnames=list(lines[0]))
                writer.writeheader()
                writer.writerows(lines)
        settings.write_text(yaml.safe_dump(content), encoding="utf-8")
        warehouse = tmp_path / "leadlag.duckdb"
        load_raw(warehouse, {})
        run = run_dbt(
            ["build", "--select", "+int_policy__violation", "--exclude-resource-type", "test", "unit_test"],
            duckdb_path=warehouse,
            project_dir=project.project_dir,
            may_fail=True,
        )
        return run.messages["int_policy__violation"]

    return build


def test_kpi_rules_that_cannot_be_applied_stop_the_run(
    consumer: Callable[[dict[str, list[dict[str, str]]]], str],
) -> None:
    """One message names file, row, rule and remedy of each."""
    policies = policies_of(
        [
            "kpi",
            "kpi_raci",
            "kpi_variant",
            "kpi_target",
            "kpi_scorecard",
            "kpi_cut",
            "kpi_component",
            "kpi_weight",
            "margin",
        ]
    )
    kpi = policies["kpi"]
    kpi.append({**first(kpi, kpi="mqls"), "version": "2"})
    first(kpi, kpi="sqls").update(status="retired", valid_to="2025-01-01")
    first(kpi, kpi="wins").update(review_date="")
    first(kpi, kpi="sals").update(numerator_measure="sales_accepted")
    first(kpi, kpi="won_revenue").update(denominator_measure="won")
    raci = policies["kpi_raci"]
    raci.append({"kpi": "mqls", "role": "head_of_sales", "responsibility": "accountable"})
    raci.remove(first(raci, kpi="opportunities", responsibility="accountable"))
    policies["kpi_variant"][0]["version"] = "7"
    policies["kpi_variant"].append({**policies["kpi_variant"][0], "version": "1", "variant": "no_reason", "reason": ""})
    target = policies["kpi_target"]
    first(target, kpi="owner_completeness").update(unit="")
    first(target, kpi="lead_source_completeness").update(unit="percent", target="98", threshold="90")
    target.append({**target[0], "valid_from": "2024-01-01"})
    policies["kpi_scorecard"][0]["scorecard_weight"] = "0.2"
    policies["kpi_cut"][0]["cut"] = "country"
    policies["kpi_component"][0]["exponent"] = "2"
    policies["kpi_weight"][0]["weight"] = "0"
    policies["margin"][0]["cost_of_goods_share"] = "30"
    message = consumer(policies)
    assert "nothing was built" in message
    for line in (
        "kpi.csv, row [mqls, versions 1 and 2]: two versions of one KPI are in force at the same time. End the earlier",
        "kpi.csv, row [sqls, 1, retired, (empty), 2025-01-01]: a retired KPI has no valid_to, or no decision about its successor",
        "kpi.csv, row [wins, 1, Wins, journeys, sales_operations, (empty), 10]: kpi_name, question, formula, unit, owner, review_date",
        "kpi.csv, row [sals, 1, sales_accepted, (empty)]: a measure is unknown. Write a measure of kpi_measure.csv",
        "kpi.csv, row [won_revenue, 1, sum, won_amount, won]: the measures do not suit the statistic",
        "kpi_raci.csv, row [mqls]: 2 roles are accountable. Name exactly one",
        "kpi_raci.csv, row [opportunities]: 0 roles are accountable",
        "kpi_variant.csv, row [mql_to_sql_60d_rate, 7, apac_90_days]: a variant of a definition that does not exist",
        "kpi_variant.csv, row [mql_to_sql_60d_rate, 1, no_reason, APAC, *, (empty), revenue_operations]: no variant name,",
        "kpi_target.csv, row [owner_completeness, month, total, *, 0.990000, 0.950000, (empty)]: a fixed target without KPI,",
        "kpi_target.csv, row [lead_source_completeness, percent]: the unit is not that of the KPI",
        "kpi_target.csv, row [*, month, total, *]: two targets are valid at the same time",
        "kpi_scorecard.csv, row [all rows]: the weights do not sum to 1",
        "kpi_cut.csv, row [*, country, (empty), week]: an unknown or repeated attribute",
        "kpi_component.csv, row [pipeline_velocity, 1, opportunities]: a component of no product",
        "kpi_weight.csv, row [deal_size, *, *, 0.000000]: no scheme, no scope, or a weight",
        "margin.csv, row [*, 2000-01-01, 30.000000]: no product_line, no valid_from, or a cost of goods outside 0 to 1",
    ):
        assert line in message, line
