"""The scheduled run: steps in order, one run at a time, one retry, and exit codes a scheduler can act on."""

import argparse
import configparser
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ROOT, mart_digests
from leadlag.audit import publish
from leadlag.cli import CommandError, main
from leadlag.warehouse import find_target

PIPELINES = ROOT / "examples" / "pipelines"
STEPS = ["freshness", "publish", "health", "predictions", "alerts"]
IN_PLACE = ["freshness", "audit", "build", "health", "predictions", "alerts"]
DONE, FAILED, USAGE, BUSY = 0, 1, 2, 75


class Scheduled:
    """The script with a warehouse, target and log folder of its own."""

    def __init__(self, folder: Path, profiles_dir: Path) -> None:
        self.warehouse = folder / "leadlag.duckdb"
        self.logs = folder / "logs"
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DBT_PROFILES_DIR": str(profiles_dir),
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(self.logs),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "LEADLAG_DUCKDB_PATH": str(self.warehouse),
            "LEADLAG_TARGET": "duckdb",
            # The audits are what stops a run here; check-build runs the tests.
            "DBT_EXCLUDE_RESOURCE_TYPES": "unit_test test snapshot",
        }

    def simulate(self, profiles_dir: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LEADLAG_DUCKDB_PATH", str(self.warehouse))
            arguments = ["--quiet", "--profiles-dir", str(profiles_dir), "--target", "duckdb", "--leads", "300"]
            assert main(["simulate", *arguments]) == 0

    def load(self, *statements: str) -> None:
        """Change the raw tables."""
        with duckdb.connect(self.warehouse) as connection:
            for statement in statements:
                connection.execute(statement)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [str(PIPELINES / "run.sh"), *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and everything written."""
        process = self.start(*arguments)
        output = process.communicate()[0]
        return process.returncode, output


def said(lines: Sequence[str], text: str) -> list[str]:
    """What the script itself said, without its time."""
    return [line.split(" leadlag: ", 1)[1].strip() for line in lines if " leadlag: " in line and text in line]


@pytest.fixture
def scheduled(tmp_path: Path, profiles_dir: Path) -> Scheduled:
    return Scheduled(tmp_path, profiles_dir)


@dataclass(frozen=True)
class FirstRun:
    """A run from nothing to published marts, and one that was started meanwhile."""

    scheduled: Scheduled
    code: int
    lines: list[str]
    second_code: int
    second_output: str


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory, profiles_dir: Path) -> FirstRun:
    scheduled = Scheduled(tmp_path_factory.mktemp("scheduled"), profiles_dir)
    scheduled.simulate(profiles_dir)
    first = scheduled.start()
    assert first.stdout is not None
    lines = [first.stdout.readline()]
    second_code, second_output = scheduled.run()
    lines += first.stdout.readlines()
    first.stdout.close()
    return FirstRun(scheduled, first.wait(), lines, second_code, second_output)


@pytest.fixture
def flaky_project(tmp_path: Path) -> Iterator[Path]:
    """A project whose model fails in the first build only: what it reads is there at the end of it."""
    folder = tmp_path / "flaky"
    (folder / "models").mkdir(parents=True)
    project = {"name": "flaky", "version": "1.0.0", "profile": "leadlag"}
    project["on-run-end"] = "create table if not exists main.late as select 1 as one"
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
    (folder / "models" / "reads_late.sql").write_text("select one from main.late", encoding="utf-8")
    (folder / "models" / "after_it.sql").write_text("select one from {{ ref('reads_late') }}", encoding="utf-8")
    yield folder
    shutil.rmtree(folder)


def test_all_steps_run_in_order_and_a_second_run_is_refused(first_run: FirstRun) -> None:
    scheduled, lines = first_run.scheduled, first_run.lines
    assert "freshness: begins" in lines[0]
    assert first_run.second_code == BUSY
    output = first_run.second_output
    assert "another run has the lock" in output and "nothing was done" in output and "begins" not in output
    assert first_run.code == DONE, "".join(lines)

    assert said(lines, ": begins") == [f"{step}: begins" for step in STEPS]
    assert said(lines, ": done") == [f"{step}: done" for step in STEPS]
    # The company's data end years ago, and a run without --strict lives with it.
    assert said(lines, "sources are stale")
    assert any("source health: 0 failed" in line for line in lines)
    with duckdb.connect(scheduled.warehouse, read_only=True) as connection:
        counted = connection.execute("select count(*) > 0 from main_marts.fct_journey").fetchall()
    assert counted == [(True,)]

    # Everything happened in a copy of the warehouse, which has taken its place.
    said_by_publish = "".join(lines)
    assert (
        "audit raw: " in said_by_publish
        and "audit marts: " in said_by_publish
        and "published main_marts" in said_by_publish
    )
    assert not (scheduled.warehouse.parent / ".pending" / scheduled.warehouse.name).exists()

    # The lock is free again, and --strict ends at the first stale source.
    code, output = scheduled.run("--strict")
    assert code == FAILED
    assert said(output.splitlines(), "freshness: failed") and "build: begins" not in output


def test_a_missing_required_table_ends_the_run_without_a_retry(scheduled: Scheduled, profiles_dir: Path) -> None:
    scheduled.simulate(profiles_dir)
    with duckdb.connect(scheduled.warehouse) as connection:
        connection.execute("drop table salesforce.lead")
    code, output = scheduled.run("--steps", "build,alerts")
    assert code == FAILED
    assert "required table 'lead' not found in schema 'salesforce'" in output
    assert said(output.splitlines(), "build: failed (code")
    assert "one retry" not in output and "alerts: begins" not in output


@pytest.mark.parametrize(
    ("words", "steps"), [([], STEPS), pytest.param(["--in-place"], IN_PLACE, marks=pytest.mark.long)]
)
def test_a_machine_without_the_companion_builds_in_place_unless_strict(
    scheduled: Scheduled, flaky_project: Path, tmp_path: Path, words: list[str], steps: list[str]
) -> None:
    dbt = shutil.which("dbt", path=scheduled.environment["PATH"])
    assert dbt is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dbt").symlink_to(dbt)
    scheduled.environment["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
    (flaky_project / "macros").mkdir()
    health = "{% macro report_health(fail) %}{% endmacro %}"
    (flaky_project / "macros" / "health.sql").write_text(health, encoding="utf-8")
    (flaky_project / "dbt_project.yml").write_text(
        (flaky_project / "dbt_project.yml").read_text(encoding="utf-8").replace("name: flaky", "name: leadlag")
    )
    code, output = scheduled.run("--project-dir", str(flaky_project), *words)
    assert code == DONE, output
    lines = output.splitlines()
    assert said(lines, ": begins") == [f"{step}: begins" for step in steps]
    assert said(lines, "one retry")
    assert said(
        lines, "builds in place instead" if "publish" in steps else "skipped: this version has no `leadlag audit`"
    )
    with duckdb.connect(scheduled.warehouse, read_only=True) as connection:
        assert connection.execute("select one from main.after_it").fetchall() == [(1,)]
    if "publish" in steps:
        code, output = scheduled.run("--project-dir", str(flaky_project), "--steps", "publish", "--strict")
        assert code == FAILED
        assert said(output.splitlines(), "nothing can be audited") and "in place instead" not in output


@pytest.mark.long
def test_a_build_that_fails_is_tried_once_more(scheduled: Scheduled, flaky_project: Path) -> None:
    code, output = scheduled.run("--project-dir", str(flaky_project), "--steps", "build")
    assert code == DONE, output
    assert said(output.splitlines(), "one retry")
    with duckdb.connect(scheduled.warehouse, read_only=True) as connection:
        assert connection.execute("select one from main.after_it").fetchall() == [(1,)]

    (flaky_project / "models" / "reads_late.sql").write_text("select two from main.late", encoding="utf-8")
    code, output = scheduled.run("--project-dir", str(flaky_project), "--steps", "build")
    assert code == FAILED
    assert len(said(output.splitlines(), "one retry")) == 1


def test_a_build_that_is_published_is_tried_once_more(
    scheduled: Scheduled, flaky_project: Path, profiles_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in scheduled.environment.items():
        monkeypatch.setenv(name, value)
    with duckdb.connect(scheduled.warehouse):
        pass
    place = publish.DuckDBPlace(find_target(profiles_dir=profiles_dir))
    place.copy.parent.mkdir()
    place.prepare()
    arguments = argparse.Namespace(project_dir=flaky_project, profiles_dir=profiles_dir, profile=None, vars="{}")
    publish._build(place, arguments)
    with duckdb.connect(place.copy, read_only=True) as connection:
        assert connection.execute("select one from main.after_it").fetchall() == [(1,)]
    (flaky_project / "models" / "reads_late.sql").write_text("select two from main.late", encoding="utf-8")
    with pytest.raises(CommandError, match="dbt build failed"):
        publish._build(place, arguments)
    (flaky_project / "models" / "after_it.sql").write_text("{{ nonsense(", encoding="utf-8")
    with pytest.raises(CommandError, match="before the first model"):
        publish._build(place, arguments)


def test_marts_are_replaced_only_by_those_that_pass_their_suites(first_run: FirstRun) -> None:
    """Raw tables that fail, then marts that fail: real loads, builds and audits."""
    scheduled, load = first_run.scheduled, first_run.scheduled.load
    before = mart_digests(scheduled.warehouse)
    assert before["fct_journey"][0] > 0 and before["fct_opportunity"][0] > 0

    load(
        "create table main.delivered as from salesforce.task",
        "update salesforce.task set id = null where hash(id) % 2 = 0",
    )
    code, output = scheduled.run("--steps", "publish,alerts")
    assert code == FAILED
    assert "FAILED salesforce.task id: " in output and re.search(r"row +id=null, created_date=2", output)
    assert said(output.splitlines(), "publish: failed (code 1)") and "alerts: begins" not in output
    assert mart_digests(scheduled.warehouse) == before

    # Milliseconds instead of seconds pass for a load; calls that last days show in the marts.
    load(
        "create or replace table salesforce.task as from main.delivered",
        "update salesforce.task set call_duration_in_seconds = call_duration_in_seconds * 1000",
    )
    code, output = scheduled.run("--steps", "publish,alerts")
    assert code == FAILED
    assert re.search(r"audit raw: .* none failed", output) and "FAILED main_marts.fct_activity duration" in output
    assert re.search(r"row +activity_key=\d+", output)
    assert said(output.splitlines(), "publish: failed (code 1)") and "alerts: begins" not in output
    assert mart_digests(scheduled.warehouse) == before
    load("create or replace table salesforce.task as from main.delivered")


@pytest.mark.long
def test_a_later_load_is_published(first_run: FirstRun) -> None:
    scheduled = first_run.scheduled
    before = mart_digests(scheduled.warehouse)
    scheduled.load("delete from web.page_view where hash(page_view_id) % 2 = 0")
    code, output = scheduled.run("--steps", "publish,alerts")
    assert code == DONE and "published main_marts" in output
    after = mart_digests(scheduled.warehouse)
    assert after["fct_touchpoint"][0] < before["fct_touchpoint"][0]
    assert after["fct_activity"] == before["fct_activity"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--steps", "build,dance"],
        ["--steps", "audit,publish"],
        ["--steps", "health", "--in-place"],
        ["--fast"],
        ["--project-dir", "/nowhere"],
    ],
)
def test_a_wrong_call_says_so(scheduled: Scheduled, arguments: list[str]) -> None:
    code, output = scheduled.run(*arguments)
    assert code == USAGE
    assert arguments[-1].split(",")[-1] in output


class Recorded:
    """Stands for a DAG or an operator of Airflow, which is not installed here: keeps what it was told."""

    def __init__(self, **told: Any) -> None:
        self.told = told
        self.after: list[Recorded] = []

    def __enter__(self) -> "Recorded":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __rshift__(self, later: "Recorded") -> "Recorded":
        self.after.append(later)
        return later


def test_airflow_runs_the_steps_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow, bash = ModuleType("airflow"), ModuleType("airflow.operators.bash")
    airflow.DAG = bash.BashOperator = Recorded  # type: ignore[attr-defined]
    for name, module in {"airflow": airflow, "airflow.operators.bash": bash}.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in ("airflow.providers", "airflow.operators"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setenv("LEADLAG_HOME", "/srv/leadlag")
    dag = runpy.run_path(str(PIPELINES / "airflow" / "leadlag_dag.py"))
    tasks = dag["tasks"]
    assert [task.told["bash_command"] for task in tasks] == [
        f"/srv/leadlag/examples/pipelines/run.sh --steps {step} " for step in STEPS
    ]
    assert [task.after for task in tasks] == [[task] for task in tasks[1:]] + [[]]
    assert {task.told["skip_on_exit_code"] for task in tasks} == {BUSY}
    assert dag["dag"].told["max_active_runs"] == 1


def test_the_other_schedulers_call_the_script() -> None:
    script = "examples/pipelines/run.sh"
    workflow = yaml.safe_load((PIPELINES / "github" / "leadlag.yml").read_text(encoding="utf-8"))
    assert {"run": script} in workflow["jobs"]["run"]["steps"]
    service = configparser.ConfigParser(strict=False, interpolation=None)
    service.read(PIPELINES / "systemd" / "leadlag.service")
    assert service["Service"]["ExecStart"].endswith(f"/{script}")
    assert service["Service"]["SuccessExitStatus"] == str(BUSY)
    (line,) = [line for line in (PIPELINES / "crontab").read_text().splitlines() if line and line[0].isdigit()]
    assert line.split()[5] == f"$LEADLAG_HOME/{script}"
