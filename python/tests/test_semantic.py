"""The semantic layer says what the KPI marts say: same words, and the same values for every KPI that both express.

MetricFlow runs in this process, as `mf query` does in its own. It leaves out periods without rows, where fct_kpi shows a count
of 0 or a ratio without a value. Counts and rates are whole numbers and their quotients and must be equal to the last bit. Sums of
money and of times, and what is made of them, are sums of doubles in an order that no engine promises: they must agree to a
relative 1e-12, which is the cent of ten billions.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from conftest import RunDbt
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import get_adapter_by_type
from dbt.contracts.graph.semantic_manifest import SemanticManifest as DbtSemanticManifest
from dbt_metricflow.cli.dbt_connectors.adapter_backed_client import AdapterBackedSqlClient
from leadlag.cli import main
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.validation.data_warehouse_model_validator import DataWarehouseModelValidator
from metricflow_semantic_interfaces.protocols import SemanticManifest
from metricflow_semantic_interfaces.validations.semantic_manifest_validator import SemanticManifestValidator
from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

# KPIs that both express: add when a KPI gets a metric, so that none is lost unnoticed.
KPIS_IN_BOTH = 42
CUTS = {"total": None, "region": "segment__region"}

# Period and cut value -> value.
Values = dict[tuple[date, str], float | None]


@dataclass
class Layer:
    manifest: SemanticManifest
    client: AdapterBackedSqlClient
    engine: MetricFlowEngine

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows by MetricFlow's own client, which has the file open; it gives dates as times."""
        return [tuple(row) for row in self.client.query(statement).rows]

    def metric(self, name: str, grain: str, dimension: str | None = None) -> Values:
        group_by = [f"metric_time__{grain}", *([dimension] if dimension else [])]
        table = self.engine.query(MetricFlowQueryRequest.create(metric_names=[name], group_by_names=group_by)).result_df
        assert table is not None and set(table.column_names) == {*group_by, name}
        values: Values = {}
        for row in table.rows:
            cell = dict(zip(table.column_names, row, strict=True))
            assert cell[group_by[0]] is not None, f"{name}: rows without a period"
            value = cell[name]
            values[(cell[group_by[0]].date(), cell[dimension] if dimension else "(all)")] = (
                None if value is None else float(value)
            )
        return values

    def kpi(self, name: str, grain: str, cut: str) -> Values:
        """Rows of fct_kpi under the definition in force."""
        rows = self.sql(
            f"""select value.period_start, value.cut_value, value.value
            from main_marts.fct_kpi as value
            join main_marts.dim_kpi as definition using (kpi, version)
            where definition.status = 'active' and value.variant = 'global' and value.kpi = '{name}'
            and value.period_grain = '{grain}' and value.cut_name = '{cut}'"""
        )
        return {(period_start.date(), cut_value): value for period_start, cut_value, value in rows}


@pytest.fixture(scope="module")
def layer(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layer]:
    """A small company, its KPIs, and MetricFlow on them."""
    folder = tmp_path_factory.mktemp("semantic")
    path = folder / "leadlag.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADLAG_DUCKDB_PATH", str(path))
        arguments = [
            "--quiet",
            "--profiles-dir",
            str(profiles_dir),
            "--target",
            "duckdb",
            "--leads",
            "1200",
            "--seed",
            "5",
        ]
        assert main(["simulate", *arguments]) == 0
    parsed = run_dbt(["parse"], duckdb_path=path).manifest
    assert parsed is not None
    run_dbt(
        [
            "build",
            "--select",
            "+fct_kpi",
            "dim_kpi",
            "dim_date",
            "+attribution_comparison",
            "--exclude-resource-type",
            "test",
            "unit_test",
        ],
        duckdb_path=path,
        manifest=parsed,
    )
    DbtSemanticManifest(parsed).write_json_to_file(str(folder / "semantic_manifest.json"))
    manifest = parse_manifest_from_dbt_generated_manifest((folder / "semantic_manifest.json").read_text("utf-8"))
    # The adapter of the run above, which knows the warehouse.
    client = AdapterBackedSqlClient(get_adapter_by_type("duckdb"))
    yield Layer(manifest, client, MetricFlowEngine(SemanticManifestLookup(manifest), client))
    DuckDBConnectionManager.close_all_connections()


def expressed(layer: Layer) -> list[str]:
    names = {metric.name for metric in layer.manifest.metrics}
    return [kpi for (kpi,) in layer.sql("select distinct kpi from main_marts.dim_kpi order by 1") if kpi in names]


def test_configurations_are_valid_in_the_warehouse(layer: Layer) -> None:
    """What `mf validate-configs` asks, the warehouse included: every entity, dimension, measure and metric can be queried."""
    in_warehouse = DataWarehouseModelValidator(sql_client=layer.client)
    results = [
        SemanticManifestValidator[SemanticManifest](max_workers=1).validate_semantic_manifest(layer.manifest),
        in_warehouse.validate_semantic_models(layer.manifest),
        in_warehouse.validate_dimensions(layer.manifest),
        in_warehouse.validate_entities(layer.manifest),
        in_warehouse.validate_simple_metrics(layer.manifest),
        in_warehouse.validate_metrics(layer.manifest),
    ]
    assert [issue.message for result in results for issue in result.all_issues if result.has_blocking_issues] == []


def same(exact: bool) -> Callable[[float | None, float | None], bool]:
    def compare(one: float | None, other: float | None) -> bool:
        if one is None or other is None:
            return one is other
        return one == other if exact else math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-9)

    return compare


def test_metrics_and_kpis_agree_to_the_last_digit(layer: Layer) -> None:
    kpis = expressed(layer)
    assert len(kpis) >= KPIS_IN_BOTH
    statistic = dict(layer.sql("select kpi, statistic from main_marts.dim_kpi where status = 'active'"))
    different, compared = [], dict.fromkeys(kpis, 0)
    for kpi in kpis:
        equal = same(exact=statistic[kpi] in ("count", "rate"))
        for grain in ("month", "quarter"):
            for cut, dimension in CUTS.items():
                marts = layer.kpi(kpi, grain, cut)
                if not marts and cut != "total":
                    continue  # spend has no region
                metrics = layer.metric(kpi, grain, dimension)
                for key in sorted(marts.keys() | metrics.keys()):
                    mart, metric = marts.get(key), metrics.get(key)
                    left_out = key not in metrics and mart == 0 and statistic[kpi] in ("count", "sum")
                    if not left_out and not equal(mart, metric):
                        different.append((kpi, grain, cut, *key, mart, metric))
                    compared[kpi] += mart is not None and metric is not None
    assert sorted({kpi for kpi, *_ in different}) == [], different[:5]
    assert [kpi for kpi, rows in compared.items() if rows < 10] == []


def test_metrics_speak_the_words_of_the_registry(layer: Layer) -> None:
    words = {
        kpi: (name, f"{question} {formula}")
        for kpi, name, question, formula in layer.sql(
            "select kpi, kpi_name, question, formula from main_marts.dim_kpi where status = 'active'"
        )
    }
    metrics = {metric.name: (metric.label, metric.description) for metric in layer.manifest.metrics}
    assert {kpi: metrics[kpi] for kpi in expressed(layer)} == {kpi: words[kpi] for kpi in expressed(layer)}
    meaning = dict(layer.sql("select measure, meaning from main_policy.kpi_measure"))
    measures = {
        measure.name: measure.description for model in layer.manifest.semantic_models for measure in model.measures
    }
    shared = meaning.keys() & measures.keys()
    assert {name: measures[name] for name in shared} == {name: meaning[name] for name in shared}
    # contribution is no measure but made of two metrics.
    assert meaning.keys() - shared == {"contribution"}


def test_won_revenue_year_to_date_adds_up_the_months(layer: Layer) -> None:
    months = layer.kpi("won_revenue", "month", "total")
    cumulated = layer.metric("won_revenue_year_to_date", "month")
    assert len(cumulated) > 10
    for period, cut in cumulated:
        added = sum(value or 0 for (month, _), value in months.items() if month.year == period.year and month <= period)
        assert cumulated[(period, cut)] == pytest.approx(added, rel=1e-12)


def test_conversion_metric_counts_as_its_description_says(layer: Layer) -> None:
    """Young MQLs count as not converted, and day 60 is outside."""
    counted = layer.sql(
        """select date_trunc('month', mql_date), count(case when sql_date between mql_date and mql_date + 59 then 1 end) / count(*)
        from main_intermediate.int_kpi__journey where mql_date is not null group by 1"""
    )
    metric = layer.metric("mql_to_sql_60_days_conversion", "month")
    assert metric == {(month.date(), "(all)"): rate for month, rate in counted}
    kpi = layer.kpi("mql_to_sql_60d_rate", "month", "total")
    assert any(kpi[key] != metric[key] for key in kpi.keys() & metric.keys())


def test_credit_is_that_of_the_comparison(layer: Layer) -> None:
    for metric, column, milestones in (
        ("attributed_conversions", "credit", ("mql", "won")),
        ("attributed_revenue", "amount_base", ("won",)),
    ):
        for milestone in milestones:
            request = MetricFlowQueryRequest.create(
                metric_names=[metric],
                group_by_names=[
                    "metric_time__quarter",
                    "attribution_credit__attribution_model",
                    "attribution_credit__channel",
                ],
                where_constraints=[f"{{{{ Dimension('attribution_credit__milestone') }}}} = '{milestone}'"],
            )
            table = layer.engine.query(request).result_df
            assert table is not None
            found = {(row[0].date(), *row[1:3]): row[3] or 0 for row in table.rows}
            expected = {
                (start.date(), model, channel): value
                for start, model, channel, value in layer.sql(
                    f"""select period_start, attribution_model, cut_value, {column} from main_marts.attribution_comparison
                    where period_grain = 'quarter' and cut_name = 'channel' and milestone = '{milestone}'"""
                )
            }
            # The comparison has a row also where only the reference model gives credit.
            assert len(found) > 50 and found.keys() <= expected.keys()
            assert {key: found.get(key, 0) for key in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)
