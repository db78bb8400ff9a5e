"""Alerts: a planted fall is told in its period, with the part that fell as the first cause; told once; nothing else is told."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from conftest import RunDbt
from contract_build import ContractBuild, Warehouse
from oracle import Settings

MONTHS = [datetime(2022 + number // 12, number % 12 + 1, 1) for number in range(44)]
REGIONS = ["EMEA", "NA", "APAC"]
SOURCES = ["web", "referral", "trade show", "organic search"]
# In these two months the leads of one region and source are qualified by sales far more rarely.
PLANTED = {MONTHS[36], MONTHS[37]}
KPI = "mql_to_sql_60d_rate"


def company(generator: np.random.Generator) -> dict[str, list[dict[str, Any]]]:
    records, statuses = [], []
    for month in MONTHS:
        for region in REGIONS:
            for source in SOURCES:
                fallen = month in PLANTED and (region, source) == ("NA", "referral")
                # One lead more or less a month, and rates that wander as chance alone lets them.
                for number in range(60 + int(generator.integers(-1, 2))):
                    key = f"{month:%Y%m}{region}{source[:4]}{number}"
                    created = month + timedelta(hours=12 + float(generator.uniform(0, 24 * 25)))
                    common = {"source_system": "salesforce", "record_type": "lead", "recorded_at": created}
                    records.append(
                        {
                            **common,
                            "source_table": "lead",
                            "source_id": key,
                            "email": f"{key.replace(' ', '')}@example.com",
                            "occurred_at": created,
                            "occurred_at_raw": created.isoformat(),
                            "region": region,
                            "lead_source": source,
                        }
                    )
                    steps = [("Open", 0.0), ("Marketing Qualified", 0.5)]
                    if generator.random() < (0.1 if fallen else 0.5):
                        steps.append(("Qualified", 10.0))
                    for label, days in steps:
                        when = created + timedelta(days=days)
                        statuses.append(
                            {
                                **common,
                                "source_table": "lead_history",
                                "source_id": f"{key}{label}",
                                "record_source_id": key,
                                "status_field": "status",
                                "status_raw": label,
                                "occurred_at": when,
                                "occurred_at_raw": when.isoformat(),
                                "recorded_at": when,
                            }
                        )
    return {"lead_record": records, "status_event": statuses}


@pytest.fixture(scope="module")
def built(run_dbt: RunDbt, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder = tmp_path_factory.mktemp("alert")
    project = ContractBuild(run_dbt, folder)
    settings = Settings(as_of=None, business_timezone="UTC")
    return project.build(
        folder / "leadlag.duckdb", company(np.random.default_rng(7)), settings, select=["kpi_alert_cause"]
    )


def test_a_planted_fall_is_told_once_with_its_part_first(built: Warehouse) -> None:
    alerts = [
        alert
        for alert in built.read("kpi_alert")
        if alert["kpi"] == KPI and alert["cut_value"] == "NA" and alert["opened_period"] == min(PLANTED).date()
    ]
    assert {alert["alert_kind"] for alert in alerts} == {"threshold_breached", "control_chart_signal"}
    causes = built.read("kpi_alert_cause")
    for alert in alerts:
        assert (alert["last_breached_period"], alert["breached_periods"]) == (max(PLANTED).date(), 2)
        assert (alert["alert_status"], alert["recovered_period"]) == ("recovered", MONTHS[38].date())
        assert alert["owner"] == "head_of_revenue_operations"
        (first,) = [cause for cause in causes if cause["alert_key"] == alert["alert_key"] and cause["cause_rank"] == 1]
        assert (first["cut_name"], first["cut_value"]) == ("region x lead_source", "NA x referral")
        # A quarter of the region fell by .4: nearly all of the change, and by its own rate.
        assert first["effect"] == pytest.approx(-0.1, abs=0.035)
        assert abs(first["mix_effect"]) < 0.02
    # Control charts of the other regions see nothing; thresholds, the worst tenth of a year, are missed now and then.
    signals = [
        alert
        for alert in built.read("kpi_alert")
        if alert["kpi"] == KPI and alert["alert_kind"] == "control_chart_signal"
    ]
    assert {alert["cut_value"] for alert in signals} <= {"NA", "(all)"}


def test_effects_of_a_cut_sum_to_the_change(built: Warehouse) -> None:
    """Recomputed from fct_kpi: period against the judged periods before, which were not breached themselves."""
    values = {
        (row["kpi"], row["period_grain"], row["period_start"], row["cut_name"], row["cut_value"]): row
        for row in built.read("fct_kpi")
        if row["variant"] == "global"
    }
    causes: dict[int, list[dict[str, Any]]] = {}
    for cause in built.read("kpi_alert_cause"):
        causes.setdefault(cause["alert_key"], []).append(cause)
    alerts = [alert for alert in built.read("kpi_alert") if alert["alert_key"] in causes]
    assert len(alerts) > 20
    for alert in alerts:
        of_alert = causes[alert["alert_key"]]
        own = values[alert["kpi"], alert["period_grain"], alert["opened_period"], alert["cut_name"], alert["cut_value"]]
        for cut in {cause["cut_name"] for cause in of_alert}:
            total = sum(cause["effect"] for cause in of_alert if cause["cut_name"] == cut)
            assert total == pytest.approx(of_alert[0]["alert_change"], abs=1e-9)
        baseline = own["value"] - of_alert[0]["alert_change"]
        earlier = [
            row["value"]
            for key, row in values.items()
            if (key[0], key[1], key[3], key[4])
            == (alert["kpi"], alert["period_grain"], alert["cut_name"], alert["cut_value"])
            and key[2] < alert["opened_period"]
            and row["value"] is not None
        ]
        assert min(earlier) - 1e-9 <= baseline <= max(earlier) + 1e-9
