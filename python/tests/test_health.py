"""A company whose sources are well gets no fail verdict; each fault put into its raw tables changes the right verdicts only."""

import csv
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml
from conftest import ROOT, InstallPackages, RunDbt
from leadlag.cli import main

# `entity, system.table: rule` -> verdict, of those that ask for somebody.
Verdicts = dict[str, str]


class Company:
    """A simulated company, built as far as source_health needs it."""

    def __init__(self, run_dbt: RunDbt, profiles_dir: Path, folder: Path) -> None:
        self.run_dbt = run_dbt
        self.path = folder / "leadlag.duckdb"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LEADLAG_DUCKDB_PATH", str(self.path))
            simulate = ["simulate", "--quiet", "--profiles-dir", str(profiles_dir), "--target", "duckdb"]
            assert main([*simulate, "--leads", "2000", "--seed", "7"]) == 0
        self.build(self.path)

    def build(self, path: Path) -> None:
        self.run_dbt(
            ["build", "--select", "+source_health", "--exclude-resource-type", "test", "unit_test"],
            duckdb_path=path,
        )

    def report(self, path: Path) -> bool:
        """Whether a scheduled run would go on."""
        return self.run_dbt(
            ["run-operation", "report_health", "--args", "{fail: true}"], duckdb_path=path, may_fail=True
        ).success

    def broken(self, folder: Path, *faults: str) -> Path:
        """A copy with faults in its raw tables, built anew."""
        path = folder / "leadlag.duckdb"
        shutil.copy(self.path, path)
        with duckdb.connect(path) as connection:
            for fault in faults:
                changed = connection.execute(fault).fetchone()
                assert changed and changed[0] > 0, f"changes nothing: {fault}"
        self.build(path)
        return path


def verdicts(path: Path) -> Verdicts:
    with duckdb.connect(path, read_only=True) as connection:
        rows = connection.execute(
            """select entity || ', ' || source_system || '.' || source_table || ': ' || health_rule, verdict
            from main_marts.source_health where verdict in ('warn', 'fail')"""
        ).fetchall()
    return dict(rows)


def changed(before: Verdicts, after: Verdicts) -> Verdicts:
    """What is another verdict than before; ok where one is gone."""
    return {key: after.get(key, "ok") for key in before | after if before.get(key) != after.get(key)}


@pytest.fixture(scope="module")
def company(run_dbt: RunDbt, profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(run_dbt, profiles_dir, tmp_path_factory.mktemp("company"))


def test_a_company_without_faults_has_no_failed_source(company: Company) -> None:
    assert "fail" not in verdicts(company.path).values()
    with duckdb.connect(company.path, read_only=True) as connection:
        judged = connection.execute(
            "select distinct health_rule from main_marts.source_health where verdict = 'ok'"
        ).fetchall()
        shipped = connection.execute("select distinct health_rule from main_policy.health_rule").fetchall()
    # The faults below find something because each rule had judged before.
    assert sorted(judged) == sorted(shipped)
    assert company.report(company.path)


def test_each_fault_changes_its_own_verdicts(company: Company, tmp_path: Path) -> None:
    path = company.broken(
        tmp_path,
        "delete from web.page_view where received_at >= '2025-12-21'",
        "update salesforce.lead set owner_id = null where created_date >= '2025-12-01'",
        "update hubspot.contact set property_hs_analytics_source = null where property_createdate >= '2025-12-01'",
        "update ads.spend_daily set spend = -1 where date >= '2025-12-01'",
        "update product.event set received_at = received_at + interval 48 hour where received_at >= '2025-12-01'",
    )
    assert changed(verdicts(company.path), verdicts(path)) == {
        "touchpoint, web.page_view: stalled_sync": "fail",
        "touchpoint, web.page_view: low_volume_week": "warn",
        "lead_record, salesforce.lead: without_owner": "fail",
        "lead_record, hubspot.contact: without_lead_source": "fail",
        "spend, ads.spend_daily: quarantined": "fail",
        "product_event, product.event: lag_median": "fail",
        "product_event, product.event: lag_p95": "warn",
    }
    with duckdb.connect(path, read_only=True) as connection:
        finding, remedy = connection.execute(
            """select finding, remedy from main_marts.source_health
            where source_table = 'page_view' and health_rule = 'stalled_sync'"""
        ).fetchall()[0]
    assert finding == (
        "web page_view (touchpoint): no row for 10.0 days, since 2025-12-20; the usual pause is 1.0 days, at most 3.0"
    )
    assert remedy.startswith("Open the loader's log")
    assert not company.report(path)


def test_lost_tracking_shows_in_journeys_and_utm_parameters(company: Company, tmp_path: Path) -> None:
    path = company.broken(
        tmp_path,
        "update web.page_view set page_url = split_part(page_url, '?', 1) where received_at >= '2025-12-01'",
        # Without forms and log-ins nobody knows whose browser it was.
        "delete from hubspot.contact_form_submission where timestamp >= '2025-12-01'",
        "delete from web.identify where received_at >= '2025-12-01'",
        "delete from hubspot.email_event where created >= '2025-12-01'",
        "delete from salesforce.campaign_member where created_date >= '2025-11-01'",
    )
    assert changed(verdicts(company.path), verdicts(path)) == {
        "touchpoint, web.page_view: without_utm": "fail",
        "journey, hubspot.fct_journey: missing_touchpoint": "fail",
        "identity_link, web.identify: stalled_sync": "fail",
        "identity_link, web.identify: low_volume_week": "warn",
        "touchpoint, hubspot.contact_form_submission: stalled_sync": "fail",
        "touchpoint, hubspot.email_event: stalled_sync": "fail",
    }


def test_freshness_has_thresholds_of_ones_own(company: Company, run_dbt: RunDbt) -> None:
    """The simulated company's data end in 2025: stale by the shipped thresholds, and rightly so."""

    def freshness(**variables: object) -> dict[str, str]:
        run = run_dbt(["source", "freshness"], duckdb_path=company.path, variables=variables or None, may_fail=True)
        return {name: status for name, status in run.status.items() if not name.startswith("leadlag")}

    required = ("lead", "contact", "page_view", "spend_daily", "event")
    assert freshness() == dict.fromkeys(required, "error")
    century = {"count": 36500, "period": "day"}
    assert freshness(
        freshness={"warn_after": century, "error_after": century},
        web_freshness={"warn_after": {"count": 1, "period": "day"}},
        salesforce_freshness_tables=["lead_history"],
    ) == {**dict.fromkeys((*required, "lead_history"), "pass"), "page_view": "warn"}


def test_a_health_rule_that_cannot_be_applied_stops_the_run(
    run_dbt: RunDbt, install_packages: InstallPackages, warehouse: Path, tmp_path: Path
) -> None:
    """A consumer replaces the rules like any policy table, and gets one message a faulty row."""
    with (ROOT / "seeds" / "policy" / "health_rule.csv").open(encoding="utf-8") as file:
        rules = {row["health_rule"]: row for row in csv.DictReader(file)}
    rules["quarantined"]["severity"] = "loud"
    rules["lag_p95"]["period_days"] = "0"
    rules["without_utm"]["entity"] = "click"
    rules["without_owner"]["fail_above"] = "1"
    rules["stalled_sync"]["health_rule"] = "sleepy"
    folder = tmp_path / "reader"
    (folder / "seeds").mkdir(parents=True)
    with (folder / "seeds" / "health_rule.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rules["quarantined"]))
        writer.writeheader()
        writer.writerows([*rules.values(), rules["low_volume_day"]])
    (folder / "models").mkdir()
    (folder / "models" / "own_lead_record.sql").write_text("select 'L1' as source_id", encoding="utf-8")
    (folder / "packages.yml").write_text(f"packages:\n  - local: {ROOT}\n", encoding="utf-8")
    project = {
        "name": "reader",
        "version": "1.0.0",
        "profile": "leadlag",
        "flags": {"require_ref_searches_node_package_before_root": True},
        "vars": {"leadlag": {"connectors": [], "contract_relations": {"lead_record": ["own_lead_record"]}}},
        "seeds": {"leadlag": {"policy": {"health_rule": {"+enabled": False}}}},
    }
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
    install_packages(folder)
    run = run_dbt(
        ["build", "--exclude-resource-type", "test", "unit_test", "--select", "+int_policy__violation"],
        duckdb_path=warehouse,
        project_dir=folder,
        may_fail=True,
    )
    message = run.messages["int_policy__violation"]
    for line in (
        "[quarantined, *, *, loud, 4.0000, 6.0000]: severity is unknown",
        "[without_owner, *, *, fail, 4.0000, 1.0000]: severity is unknown, or its thresholds are missing or in the wrong",
        "[lag_p95, *, *, 0, 3, 1, 20, 24.0000]: a period, a history or a minimum is missing or too small",
        "[without_utm, click, *]: entity is no entity",
        "[sleepy, *, *]: there is no such rule",
        "[low_volume_day, *, *]: 2 rows for the same",
    ):
        assert f"health_rule.csv, row {line}" in message, message
