"""What other projects may build on: public marts by ref, and nothing behind them."""

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ROOT, DbtRun, InstallPackages, RunDbt

PROJECT: dict[str, Any] = {
    "name": "reader",
    "version": "1.0.0",
    "profile": "leadlag",
    "flags": {"send_anonymous_usage_stats": False, "require_ref_searches_node_package_before_root": True},
    "vars": {"leadlag": {"connectors": [], "contract_relations": {"lead_record": ["own_lead_record"]}}},
}
OWN_LEAD_RECORD = """select 'own' as source_system, 'lead' as source_table, 'L1' as source_id, 'lead' as record_type,
    'a@acme.io' as email, cast('2024-03-01 09:00:00' as timestamp) as occurred_at"""


@pytest.fixture
def reader(tmp_path: Path, install_packages: InstallPackages) -> Path:
    """A project with a CRM of its own that installs the package from its folder."""
    folder = tmp_path / "reader"
    (folder / "models").mkdir(parents=True)
    (folder / "packages.yml").write_text(f"packages:\n  - local: {ROOT}\n", encoding="utf-8")
    (folder / "models" / "own_lead_record.sql").write_text(OWN_LEAD_RECORD, encoding="utf-8")
    configure(folder)
    install_packages(folder)
    return folder


def configure(folder: Path, **settings: Any) -> None:
    (folder / "dbt_project.yml").write_text(yaml.safe_dump({**PROJECT, **settings}), encoding="utf-8")


def parse(run_dbt: RunDbt, folder: Path, warehouse: Path, model: str) -> DbtRun:
    (folder / "models" / "report.sql").write_text(model, encoding="utf-8")
    return run_dbt(["parse", "--no-partial-parse"], duckdb_path=warehouse, project_dir=folder, may_fail=True)


def test_a_project_that_reads_public_marts_is_built(run_dbt: RunDbt, reader: Path, warehouse: Path) -> None:
    report = "select count(*) as persons from {{ ref('leadlag', 'dim_person') }}"
    (reader / "models" / "report.sql").write_text(report, encoding="utf-8")
    run_dbt(
        ["build", "--exclude-resource-type", "test", "unit_test", "--select", "+report"],
        duckdb_path=warehouse,
        project_dir=reader,
    )
    with duckdb.connect(warehouse, read_only=True) as connection:
        assert connection.execute("select persons from main.report").fetchall() == [(1,)]


@pytest.mark.parametrize("model", ["int_lifecycle__journey", "dim_person_contact"])
def test_a_ref_behind_the_marts_is_refused(run_dbt: RunDbt, reader: Path, warehouse: Path, model: str) -> None:
    run = parse(run_dbt, reader, warehouse, f"select * from {{{{ ref('leadlag', '{model}') }}}}")
    assert not run.success
    assert run.messages["(dbt)"].endswith(
        f"attempted to reference node model.leadlag.{model}, which is not allowed because the referenced node is "
        "protected to the 'leadlag' package."
    )


def test_a_ref_to_staging_is_refused(run_dbt: RunDbt, reader: Path, warehouse: Path) -> None:
    configure(reader, vars={"leadlag": {**PROJECT["vars"]["leadlag"], "connectors": ["ads"]}})
    run = parse(run_dbt, reader, warehouse, "select * from {{ ref('leadlag', 'stg_ads__spend_daily') }}")
    assert not run.success
    assert run.messages["(dbt)"].endswith(
        "attempted to reference node model.leadlag.stg_ads__spend_daily, which is not allowed because the referenced "
        "node is private to the 'data_engineering' group."
    )


def test_a_project_that_needs_personal_data_says_so(run_dbt: RunDbt, reader: Path, warehouse: Path) -> None:
    configure(reader, models={"leadlag": {"marts": {"core": {"dim_person_contact": {"+access": "public"}}}}})
    assert parse(run_dbt, reader, warehouse, "select * from {{ ref('leadlag', 'dim_person_contact') }}").success


def test_every_model_has_an_owner_and_every_mart_a_contract(run_dbt: RunDbt, warehouse: Path) -> None:
    manifest = run_dbt(["parse"], duckdb_path=warehouse).manifest
    assert manifest is not None
    owners = {group.name: group.owner.name for group in manifest.groups.values()}
    models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    assert [node.name for node in models if not owners.get(node.config.group or "")] == []
    assert [node.name for node in models if node.access == "public" and not node.config.contract.enforced] == []


def test_a_second_version_leaves_the_readers_of_the_first_alone(
    run_dbt: RunDbt, warehouse: Path, tmp_path: Path
) -> None:
    """The relation keeps its name and a ref its version until latest_version says otherwise."""
    project = tmp_path / "project"
    for name in ("models", "macros", "seeds", "snapshots", "tests", "analyses", "docs", "dbt_packages"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("dbt_project.yml", "packages.yml"):
        shutil.copy(ROOT / name, project / name)
    mart = project / "models" / "marts" / "conversion"
    shutil.copy(mart / "fct_conversion.sql", mart / "fct_conversion_v2.sql")
    properties = yaml.safe_load((mart / "_fct_conversion.yml").read_text(encoding="utf-8"))
    properties["models"][0]["versions"].append({"v": 2})
    # Its rules are tested on the first version.
    properties["unit_tests"] = []
    (mart / "_fct_conversion.yml").write_text(yaml.safe_dump(properties), encoding="utf-8")

    manifest = run_dbt(["parse"], duckdb_path=warehouse, project_dir=project).manifest
    assert manifest is not None
    first, second = (manifest.nodes[f"model.leadlag.fct_conversion.v{number}"] for number in (1, 2))
    assert (first.alias, second.alias) == ("fct_conversion", "fct_conversion_v2")
    readers = {node.name for node in manifest.nodes.values() if first.unique_id in node.depends_on_nodes}
    assert {"conversion_rate", "conversions_count_each_journey_once"} <= readers
    models = [node for node in manifest.nodes.values() if node.resource_type == "model"]
    assert [node.name for node in models if second.unique_id in node.depends_on_nodes] == []
