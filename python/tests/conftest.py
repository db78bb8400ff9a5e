"""Fixtures for all tests: real data, warehouses, and dbt in this process.

dbt in a process of its own costs three seconds a call, in this one a few tenths. `run_dbt` also keeps each run apart
from the developer's: its own profile, warehouse, target folder and log folder, none of them in the checkout.
"""

import dataclasses
import gc
import hashlib
import json
import os
import pickle
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]

# What is summed and shared out, of what tests of the ground prove already, is half of a small build: dbt selection that leaves it
# out.
GROUND_ONLY = (
    "--exclude",
    *(
        f"leadlag.{layer}.{part}"
        for part in ("kpi", "attribution", "closed_loop", "scoring")
        for layer in ("intermediate", "marts")
    ),
    *("leadlag.marts.forecast", "leadlag.intermediate.input.prediction", "leadlag.staging.prediction"),
)

# Variables that no configuration, hook or dependency of a model is read from.
READ_WHEN_RUN = (
    "as_of",
    "base_currency",
    "business_timezone",
    "confidence_level",
    "score_at",
    "unmapped_status",
    "visit_gap_minutes",
)

# Commands that build or test.
BUILDS = ("build", "run", "seed", "test")

# dbt spends a tenth of a build on its log file.
os.environ.setdefault("DBT_LOG_LEVEL_FILE", "none")

# pyspark takes a main module without a file, as that of a pytest-xdist worker, for a doctest and ends the process.
sys.modules["__main__"].__dict__.setdefault("__file__", __file__)


# Modules that take minutes begin first, so that no worker is left alone with one.
LONGEST = (
    "test_interruptions",
    "test_incremental",
    "test_engines",
    "test_pipelines",
    "test_sandbox",
    "test_audit",
    "test_access",
    "test_kpi",
    "test_control_chart",
    "test_simulated_truth",
    "test_oracle",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@dataclass
class DbtRun:
    """What one dbt command did."""

    success: bool
    manifest: Manifest | None
    # Node name -> status ('success', 'pass', 'fail', 'error', 'skipped', 'warn') of every node that ran.
    status: dict[str, str] = field(default_factory=dict)
    # Node name -> rows that a test returned.
    failures: dict[str, int] = field(default_factory=dict)
    # Node name -> message of what did not pass; '(dbt)' when the command itself failed.
    messages: dict[str, str] = field(default_factory=dict)


class RunDbt(Protocol):
    def __call__(
        self,
        arguments: Sequence[str],
        *,
        duckdb_path: Path,
        project_dir: Path = ...,
        variables: Mapping[str, Any] | None = ...,
        environment: Mapping[str, str] | None = ...,
        manifest: Manifest | None = ...,
        may_fail: bool = ...,
    ) -> DbtRun: ...


class Manifests:
    """What dbt parsed, by what it depends on; shared with the other processes of a test run.

    Parsing takes seconds, reading it again hundredths of one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, Manifest] = {}

    def _file(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()}.pickle"

    def get(self, key: str) -> Manifest | None:
        if key not in self.known and self._file(key).exists():
            self._keep(key, Manifest(**pickle.loads(self._file(key).read_bytes())))
        return self.known.get(key)

    def put(self, key: str, manifest: Manifest) -> None:
        # Not the manifest itself, whose look-ups and locks are of its process.
        fields = [field.name for field in dataclasses.fields(manifest) if not field.name.startswith("_")]
        half = self._file(key).with_suffix(f".{os.getpid()}")
        half.write_bytes(pickle.dumps({name: getattr(manifest, name) for name in fields}))
        half.rename(self._file(key))
        self._keep(key, manifest)

    def _keep(self, key: str, manifest: Manifest) -> None:
        self.known[key] = manifest
        # Manifests stay, and going over their many objects is what a collection takes.
        gc.collect()
        gc.freeze()


def _summary(result: dbtRunnerResult) -> DbtRun:
    outcome = getattr(result, "result", None)
    run = DbtRun(success=result.success, manifest=outcome if isinstance(outcome, Manifest) else None)
    if result.exception is not None:
        run.messages["(dbt)"] = str(result.exception)
    for entry in getattr(outcome, "results", []):
        name = getattr(getattr(entry, "node", None), "name", None)
        if name is None:
            continue
        run.status[name] = str(entry.status)
        if entry.failures:
            run.failures[name] = entry.failures
        if run.status[name] not in ("success", "pass"):
            run.messages[name] = str(entry.message)
    return run


@pytest.fixture(scope="session")
def profiles_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the profile as it is shipped, whatever the developer made of profiles.yml."""
    folder = tmp_path_factory.mktemp("profiles")
    shutil.copy(ROOT / "profiles.example.yml", folder / "profiles.yml")
    return folder


@pytest.fixture(scope="session")
def run_dbt(profiles_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDbt:
    """Runs one dbt command and returns what it did; fails the test when dbt fails, unless `may_fail`.

    arguments: the command line without `dbt`, e.g. ["build", "--select", "marts"].
    duckdb_path: the warehouse file. DuckDB names the database after it, so a manifest can be reused only with the
        same file name.
    variables: dbt variables (--vars). environment: variables of the environment for this run.
    manifest: from an earlier run of ["parse"]; saves parsing. Variables that decide what is enabled were read then. Without one a
        project is parsed once, with all others of the same files, for each environment and set of such variables.

    The file is free for other connections when the call returns.
    """
    target_paths: dict[Path, Path] = {}
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    shared = shared / "manifests"
    shared.mkdir(exist_ok=True)
    parsed = Manifests(shared)

    def parse_key(project_dir: Path, settings: Mapping[str, str], variables: Mapping[str, Any]) -> str:
        """What a manifest depends on: files but for the content of seeds, the environment, and variables read while parsing."""
        # leadlag itself stays as it is for all tests, and other tests' folders come and go below it.
        paths = [] if project_dir == ROOT else sorted(project_dir.rglob("*"))
        files = {
            str(path.relative_to(project_dir)): "" if path.suffix == ".csv" else path.read_text(encoding="utf-8")
            for path in paths
            if path.suffix in (".csv", ".sql", ".yml", ".md")
        }
        place = {
            name: value
            for name, value in (os.environ | settings).items()
            if name.startswith("LEADLAG_") and not name.startswith("LEADLAG_PG_")
        }
        place["LEADLAG_DUCKDB_PATH"] = Path(place["LEADLAG_DUCKDB_PATH"]).name
        if any(name.endswith(".csv") for name in files):
            # dbt-duckdb reads a seed where it was when it was parsed.
            place["project_dir"] = str(project_dir)
        read = {name: value for name, value in variables.items() if name not in READ_WHEN_RUN}
        return json.dumps([files, place, read], sort_keys=True, default=str)

    def run(
        arguments: Sequence[str],
        *,
        duckdb_path: Path,
        project_dir: Path = ROOT,
        variables: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        manifest: Manifest | None = None,
        may_fail: bool = False,
    ) -> DbtRun:
        project_dir = project_dir.resolve()
        if project_dir not in target_paths:
            target_paths[project_dir] = tmp_path_factory.mktemp(f"target_{project_dir.name}")
        target_path = target_paths[project_dir]
        settings = {
            "LEADLAG_DUCKDB_PATH": str(duckdb_path),
            "LEADLAG_TARGET": "duckdb",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
            **(environment or {}),
        }

        def invoke(words: Sequence[str], manifest: Manifest | None = None) -> dbtRunnerResult:
            command = [
                *("--quiet", "--no-use-colors", "--log-level-file", "none", "--log-path", str(target_path / "logs")),
                *words,
                *("--project-dir", str(project_dir), "--profiles-dir", str(profiles_dir)),
                *("--target-path", str(target_path)),
                *(["--vars", json.dumps(variables)] if variables else []),
                # The manifest as JSON is a third of a small command; `dbt retry` and the reader of compiled SQL ask for it.
                *(["--no-write-json"] if words[0] in BUILDS and "--write-json" not in words else []),
            ]
            with mock.patch.dict(os.environ, settings):
                return dbtRunner(manifest=manifest).invoke(command)

        if manifest is None and (arguments[0] in (*BUILDS, "compile", "run-operation") or list(arguments) == ["parse"]):
            # dbt itself would parse again, for six seconds, whenever the file of the profile is another one.
            key = parse_key(project_dir, settings, variables or {})
            if parsed.get(key) is None:
                outcome = invoke(["parse"]).result
                if isinstance(outcome, Manifest):
                    parsed.put(key, outcome)
            manifest = parsed.get(key)
            if manifest is not None and arguments[0] == "parse":
                return DbtRun(success=True, manifest=manifest)
        # An earlier run has marked the ephemeral models that it wrote into others.
        for node in manifest.nodes.values() if manifest else ():
            if getattr(node, "extra_ctes_injected", False):
                node.extra_ctes_injected, node.extra_ctes = False, []
        result = invoke(arguments, manifest)
        summary = _summary(result)
        # dbt-duckdb keeps the file open for the next command of the process; the lock goes with the connection object.
        DuckDBConnectionManager.close_all_connections()
        del result
        gc.collect()
        if not summary.success and not may_fail:
            details = "\n".join(f"{name}: {message}" for name, message in summary.messages.items())
            pytest.fail(f"dbt {' '.join(arguments)} failed\n{details}", pytrace=False)
        return summary

    return run


def mart_digests(path: Path) -> dict[str, tuple[int, int]]:
    """Name of each mart's table in a warehouse file -> how many rows it has, and a digest of all of them."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute("select table_name from duckdb_tables() where schema_name = 'main_marts'").fetchall()
        digest = "select count(*), sum(cast(hash(mart) as hugeint)) from main_marts.{} as mart"
        return {name: connection.execute(digest.format(name)).fetchall()[0] for (name,) in names}


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Path of a warehouse file that does not exist yet, with the name that all warehouses of the tests share."""
    return tmp_path / "leadlag.duckdb"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real data sets whose licences keep them out of this repository."""
    path = Path(os.environ.get("LEADLAG_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"no real data in {path}: set LEADLAG_SHARED_DATA to the folder that holds it")
    return path


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real PostgreSQL server for this session; the environment that the profile's target postgres reads."""
    script, state = str(ROOT / "scripts" / "postgres.sh"), str(tmp_path_factory.mktemp("postgres"))
    started = subprocess.run([script, "start", state], capture_output=True, text=True, check=False)
    if started.returncode != 0:
        pytest.fail(f"no PostgreSQL server: {started.stderr}", pytrace=False)
    yield dict(word.split("=", 1) for word in shlex.split(started.stdout) if "=" in word)
    subprocess.run([script, "stop", state], check=True)


class InstallPackages(Protocol):
    def __call__(self, project_dir: Path) -> None: ...


@pytest.fixture(scope="session")
def install_packages() -> InstallPackages:
    """Installs the dbt packages of a project folder, once a session, without asking the hub.

    dbt_utils is the copy that this project's own set-up installed, so that the examples are tested with the same one.
    """
    done: set[Path] = set()

    def install(project_dir: Path) -> None:
        project_dir = project_dir.resolve()
        if project_dir in done:
            return
        script = ROOT / "scripts" / "install_packages.py"
        command = [sys.executable, str(script), str(project_dir)]
        command += ["--dbt-utils", str(ROOT / "dbt_packages" / "dbt_utils")]
        subprocess.run(command, check=True, capture_output=True, text=True)
        done.add(project_dir)

    return install
